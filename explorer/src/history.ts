/** What a walker has met: columns of numbers that grow, a row a step, row 0 the start. */

/** Of each row:
 *  x, y           where it stood
 *  loss           the surface's height there
 *  step           how far the step went that led there; nan at the start, as are the rest
 *  rateX, rateY   the effective learning rate of each coordinate, |step| / |gradient|
 *  ratio          the length of the step over that of the weights before it
 */
export const COLUMNS = ["x", "y", "loss", "step", "rateX", "rateY", "ratio"] as const;
export type Column = (typeof COLUMNS)[number];
export type Row = Record<Column, number>;

/** Rows of a walk. Columns double their memory when it is full, so a row costs no allocation. */
export class History {
  /** How many rows there are. */
  count = 0;
  private columns = new Map<Column, Float64Array>();

  constructor(private room = 256) {
    for (const name of COLUMNS) this.columns.set(name, new Float64Array(room));
  }

  /** Adds a row. */
  add(row: Row): void {
    if (this.count === this.room) this.grow();
    for (const name of COLUMNS) this.whole(name)[this.count] = row[name];
    this.count += 1;
  }

  /** Forgets every row, and keeps the memory. */
  clear(): void {
    this.count = 0;
  }

  /** The numbers of a column, without a copy: it is out of date when a row has been added. */
  column(name: Column): Float64Array {
    return this.whole(name).subarray(0, this.count);
  }

  /** One number; nan where there is no such row. */
  at(name: Column, row: number): number {
    return row < this.count ? (this.whole(name)[row] ?? NaN) : NaN;
  }

  private whole(name: Column): Float64Array {
    return this.columns.get(name) as Float64Array;
  }

  private grow(): void {
    this.room *= 2;
    for (const [name, old] of this.columns) {
      const wide = new Float64Array(this.room);
      wide.set(old);
      this.columns.set(name, wide);
    }
  }
}
