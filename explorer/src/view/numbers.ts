/** How numbers are written for a reader. */

/** With this many significant digits, a true minus sign, and a power of ten where it is far from 1. */
export function shown(value: number, digits = 6): string {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 10 ** Math.max(digits, 5)) {
    return value
      .toExponential(digits - 1)
      .replace("e+", "e")
      .replace(/-/g, "−");
  }
  const text = value.toPrecision(digits);
  return (text.includes("e") ? String(Number(text)) : text).replace("-", "−");
}

/** A number that the reader may set: as few digits as say it. */
export function plain(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential().replace("e+", "e");
  return String(value);
}
