/** A metric family of an OpenMetrics text. */
export interface Family {
  readonly type: string;
  readonly help: string;
  /** Names of labels, without `le`, sorted. */
  readonly labels: readonly string[];
  /** Values by the series as it was written. */
  readonly samples: ReadonlyMap<string, number>;
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_count', '_sum', '_created'],
  summary: ['', '_count', '_sum', '_created'],
};
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"/;
const LABELS = new RegExp(`^${LABEL.source}(?:,${LABEL.source})*$`);
const NUMBER = /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|Inf|NaN)$/;

/**
 * Reads an OpenMetrics 1.0 text, and throws at the first thing that the format forbids: a wrong line, a family that is
 * declared twice or not at all, samples away from their family, a series twice, a histogram that does not add up,
 * anything after the end.
 */
export function parseOpenMetrics(text: string): Map<string, Family> {
  if (!text.endsWith('\n# EOF\n')) throw new SyntaxError('does not end with # EOF');
  const families = new Map<string, Family & { readonly samples: Map<string, number> }>();
  const help = new Map<string, string>();
  let current = '';
  for (const line of text.slice(0, -'# EOF\n'.length - 1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (help.has(name)) throw new SyntaxError(`${name} has help twice`);
      help.set(name, rest);
    } else if (keyword === 'TYPE') {
      if (families.has(name)) throw new SyntaxError(`${name} is declared twice`);
      if (SUFFIXES[rest] === undefined) throw new SyntaxError(`${name} is of no known type: ${rest}`);
      families.set(name, { type: rest, help: help.get(name) ?? '', labels: [], samples: new Map() });
      current = name;
    } else {
      const family = families.get(current);
      if (family === undefined) throw new SyntaxError(`belongs to no family: ${line}`);
      families.set(current, { ...family, labels: sample(line, current, family) });
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family.samples);
  return families;
}

/** Takes in one sample; the labels that the family has. */
function sample(line: string, name: string, family: Family & { readonly samples: Map<string, number> }): string[] {
  const [, metric = '', labels, value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  const suffixes = SUFFIXES[family.type] ?? [];
  if (!suffixes.some((suffix) => metric === name + suffix)) throw new SyntaxError(`not of ${name}: ${line}`);
  if (labels !== undefined && !LABELS.test(labels)) throw new SyntaxError(`labels: ${line}`);
  if (!NUMBER.test(value)) throw new SyntaxError(`value: ${line}`);
  if (metric.endsWith('_total') && family.type === 'counter' && !(Number(value) >= 0)) throw new RangeError(line);
  const names = [...(labels ?? '').matchAll(new RegExp(LABEL, 'g'))].map(([, label = '']) => label);
  if (new Set(names).size !== names.length) throw new SyntaxError(`a label twice: ${line}`);
  const series = labels === undefined ? metric : `${metric}{${labels}}`;
  const key = (text: string): string => text.split(/[{},]/).sort().join();
  if ([...family.samples.keys()].some((other) => key(other) === key(series))) throw new SyntaxError(`twice: ${line}`);
  family.samples.set(series, Number(value.replace('Inf', 'Infinity')));
  return [...new Set([...family.labels, ...names.filter((label) => label !== 'le')])].sort();
}

/** Buckets grow, and the last one, without a limit, is the count. */
function checkHistogram(name: string, samples: ReadonlyMap<string, number>): void {
  const groups = new Map<string, { readonly limit: number; readonly count: number }[]>();
  for (const [series, count] of samples) {
    const [, limit] = /le="([^"]*)"/.exec(series) ?? [];
    if (limit === undefined) continue;
    const group = series
      .replace(/le="[^"]*",?/, '')
      .replace(/,\}$/, '}')
      .replace('_bucket', '_count')
      .replace('{}', '');
    groups.set(group, [...(groups.get(group) ?? []), { limit: limit === '+Inf' ? Infinity : Number(limit), count }]);
  }
  for (const [group, buckets] of groups) {
    const isSorted = buckets.every(({ limit, count }, i) => {
      const before = buckets[i - 1];
      return before === undefined || (limit > before.limit && count >= before.count);
    });
    const last = buckets.at(-1);
    if (!isSorted || last?.limit !== Infinity || last.count !== samples.get(group)) {
      throw new RangeError(`the buckets of ${name} do not add up: ${group}`);
    }
  }
}
