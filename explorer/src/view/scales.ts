/** How a slider's position, from 0 to 1, says a number. */

export interface Scale {
  low: number;
  high: number;
  value(position: number): number;
  position(value: number): number;
}

/** Even steps of the number. */
export function linear(low: number, high: number): Scale {
  return {
    low,
    high,
    value: (position) => rounded(low + position * (high - low), 4),
    position: (value) => within((value - low) / (high - low)),
  };
}

/** Even steps of its logarithm; where it may be 0, that is the left end. */
export function logarithmic(low: number, high: number, zero = false): Scale {
  const [from, span] = [Math.log10(low), Math.log10(high / low)];
  return {
    low: zero ? 0 : low,
    high,
    value: (position) => (zero && position <= 0 ? 0 : rounded(10 ** (from + position * span), 2)),
    position: (value) => (value > 0 ? within((Math.log10(value) - from) / span) : 0),
  };
}

/** For shares below 1, such as beta: even steps of the logarithm of what is missing to 1. */
export function nearOne(decades = 4): Scale {
  return {
    low: 0,
    high: 1 - 10 ** -decades,
    value: (position) => rounded(1 - rounded(10 ** (-decades * position), 2), 12),
    position: (value) => within(-Math.log10(Math.max(1 - value, 1e-12)) / decades),
  };
}

/** The scale that suits a hyperparameter, from its name, its own value and its range. */
export function scaleOf(
  name: string,
  value: number,
  [least, below]: readonly [number | null, number | null] = [null, null],
): Scale {
  const share = (least === 0 && below === 1) || /^(beta\d*|rho)$/.test(name);
  if (share && value < 1) return nearOne();
  if (name === "learning_rate") return logarithmic(1e-5, 10);
  if (name.startsWith("eps")) return logarithmic(1e-12, 0.1, true);
  if (value > 0) return logarithmic(value / 1e3, value * 1e3, least === null || least === 0);
  if (value === 0 && least === 0) return logarithmic(1e-6, 1, true);
  const reach = Math.max(2 * Math.abs(value), 1);
  return linear(-reach, reach);
}

function rounded(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

function within(position: number): number {
  return Math.min(Math.max(position, 0), 1);
}
