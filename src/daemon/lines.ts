/** Cuts a stream of text into lines, and refuses lines that are longer than `limit`. */
export class LineReader {
  readonly #limit: number;
  #rest = '';

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The complete lines in what came so far; `undefined` when a line is too long. */
  lines(chunk: string): string[] | undefined {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    return this.#rest.length > this.#limit || lines.some((line) => line.length > this.#limit) ? undefined : lines;
  }
}
