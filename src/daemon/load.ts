import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { LociError, messageOf, systemCode } from '../node/error.ts';
import type { Config } from './config.ts';
import { configJsonSchema, configOf } from './schema.ts';
import type { Issue } from './schema.ts';

export const DEFAULT_CONFIG_FILE = '/etc/loci/locid.toml';

/** Read and check a configuration file. Every mistake is a `LociError` with code `config`, the file and the line. */
export function loadConfig(file: string): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const remedy = systemCode(cause) === 'ENOENT' ? 'it does not exist; see examples/locid.toml' : messageOf(cause);
    throw new LociError('config', `cannot read the configuration: ${remedy}`, { file, cause });
  }
  return parseConfig(text, file);
}

/** As `loadConfig`, from text; `file` is the name that errors carry. */
export function parseConfig(text: string, file: string): Config {
  let values: unknown;
  try {
    values = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const what = cause.message.split('\n', 1)[0] ?? '';
    const key = /^\s*([\w."'-]+)\s*=/.exec(text.split('\n')[cause.line - 1] ?? '')?.[1];
    throw new LociError(
      'config',
      `${what.replace(/^Invalid TOML document: /, 'not TOML: ')}${key === undefined ? '' : ` at ${key}`} (column ${String(cause.column)})`,
      {
        file,
        line: cause.line,
        cause,
      },
    );
  }
  const checked = configOf(values);
  if ('config' in checked) return checked.config;
  const mistakes = checked.issues.flatMap((issue) => explain(issue, text)).sort((a, b) => a.line - b.line);
  const [first = { line: 1, message: 'not a configuration' }] = mistakes;
  const more = mistakes.length > 1 ? `; ${String(mistakes.length - 1)} more after it` : '';
  throw new LociError('config', first.message + more, { file, line: first.line });
}

interface Mistake {
  readonly line: number;
  readonly message: string;
}

function explain(issue: Issue, text: string): Mistake[] {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') {
    return [{ line: lineOf(text, path), message: `${keyText(path)} ${issue.message}` }];
  }
  return issue.keys.map((key) => {
    const nearest = nearestKey([...path, key]);
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
    return {
      line: lineOf(text, [...path, key]),
      message: `${keyText([...path, key])} is not a key of this file${hint}`,
    };
  });
}

function keyText(path: readonly string[]): string {
  return path
    .map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

/** The line on which the value of `path` begins, as near as the text tells: else the line of its table, else 1. */
export function lineOf(text: string, path: readonly string[]): number {
  const wanted = path.filter((step) => !/^\d+$/.test(step)).join('.');
  let table = '';
  let best = { line: 1, length: 0 };
  text.split('\n').forEach((row, index) => {
    const header = /^\s*\[\s*([^[\]]+?)\s*\]/.exec(row)?.[1];
    if (header !== undefined) table = unquoted(header);
    const key = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(row)?.[1];
    const here =
      header !== undefined ? table : key === undefined ? '' : [table, unquoted(key)].filter(Boolean).join('.');
    const covers = here !== '' && (wanted === here || wanted.startsWith(`${here}.`));
    if (covers && here.length > best.length) best = { line: index + 1, length: here.length };
  });
  return best.line;
}

function unquoted(key: string): string {
  return key
    .split('.')
    .map((step) => step.trim().replace(/^(["'])(.*)\1$/, '$2'))
    .join('.');
}

/** The known key that an unknown one probably stands for: the same name in another table, or a near one. */
function nearestKey(path: readonly string[]): string | undefined {
  const name = path.at(-1) ?? '';
  const table = path.slice(0, -1).join('.');
  let nearest: { readonly key: string; readonly distance: number } | undefined;
  for (const key of knownKeys(configJsonSchema(), '')) {
    const at = key.lastIndexOf('.');
    const elsewhere = key.slice(0, Math.max(at, 0)) === table ? 0 : 1;
    const distance = editDistance(name, key.slice(at + 1)) + elsewhere;
    if (distance <= Math.max(2, name.length / 3) && distance < (nearest?.distance ?? Infinity))
      nearest = { key, distance };
  }
  return nearest?.key;
}

function knownKeys(schema: unknown, prefix: string): string[] {
  if (!isRecord(schema) || !isRecord(schema['properties'])) return [];
  return Object.entries(schema['properties']).flatMap(([key, inner]) => [
    prefix + key,
    ...knownKeys(inner, `${prefix}${key}.`),
  ]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Insertions, deletions and replacements that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
