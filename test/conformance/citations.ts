import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const ID = /(?:S6|HIP)-\d{3}/g;

/** Anything that looks like an id or a short form for several: `S6-12`, `S6-101/102`, `S6-101..103`. */
const MALFORMED = /S6-(?!\d{3}(?!\d))\S*|HIP-(?!\d{3}(?!\d))\d\S*|(?:S6|HIP)-\d{3}(?:[-/–]|\.\.+)\d\S*/;

/** The requirements that a title cites, each once. */
export function citedIn(title: string): string[] {
  return [...new Set(title.match(ID))];
}

/** The first citation that is no id of three digits; several ids are written out. */
export function malformedIn(title: string): string | undefined {
  return MALFORMED.exec(title)?.[0];
}

/** Which requirements the strings of each test file cite, which is where titles are; comments do not count. */
export function citationsBelow(folder: string): Map<string, string[]> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('conformance/tool'))
    .sort();
  const found = files.map((name): [string, string[]] => {
    const file = join(folder, name);
    return [file, citedInStrings(readFileSync(file, 'utf8'))];
  });
  return new Map(found.filter(([, ids]) => ids.length > 0));
}

/** The requirements that string literals and templates of a source text cite. */
export function citedInStrings(source: string): string[] {
  const strings: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      strings.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('test.ts', source, ts.ScriptTarget.ES2023));
  return citedIn(strings.join('\n')).sort();
}
