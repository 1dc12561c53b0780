import { runLoci } from '../../src/cli/run-loci.ts';

/** How a command ended, and what it said. */
export interface Said {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `loci` in this process, without colours. */
export async function said(...words: readonly string[]): Promise<Said> {
  let out = '';
  let err = '';
  const status = await runLoci([...words], {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    coloured: false,
    enough: new AbortController().signal,
  });
  return { status, out, err };
}
