/** One animation frame for everything: the race moves, then whoever must draws. */

const KEPT = 600;

/** How long the last frames took, for a test: milliseconds, oldest first. */
export class Trace {
  private spans = new Float64Array(KEPT);
  private scripts = new Float64Array(KEPT);
  count = 0;

  /** Notes a frame: the time since the one before, and how long our own script ran in it. */
  add(span: number, script: number): void {
    this.spans[this.count % KEPT] = span;
    this.scripts[this.count % KEPT] = script;
    this.count += 1;
  }

  clear(): void {
    this.count = 0;
  }

  /** From one frame to the next, while the race runs. */
  get frames(): number[] {
    return this.ordered(this.spans);
  }

  /** The script's own share of each. */
  get script(): number[] {
    return this.ordered(this.scripts);
  }

  private ordered(kept: Float64Array): number[] {
    const count = Math.min(this.count, KEPT);
    return Array.from({ length: count }, (_, k) => kept[(this.count - count + k) % KEPT] ?? NaN);
  }
}

/** Asks for a frame whenever one is needed, and for one after the other as long as the race runs. */
export class Frames {
  readonly trace = new Trace();
  private asked = false;
  private before = 0;

  /** `frame` is told the milliseconds since the last one, 0 after a pause; it answers whether to go on. */
  constructor(private frame: (span: number) => boolean) {}

  ask(): void {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame((now) => this.run(now));
  }

  private run(now: number): void {
    this.asked = false;
    const begun = performance.now();
    const span = this.before > 0 ? now - this.before : 0;
    const further = this.frame(span);
    if (span > 0) this.trace.add(span, performance.now() - begun);
    this.before = further ? now : 0;
    if (further) this.ask();
  }
}
