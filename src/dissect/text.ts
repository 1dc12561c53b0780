import type { CheckResult, DissectedMessage, DissectedOption, Entry, Fields, Json } from './entry.ts';

/** Longer octets are left to the JSON. */
const MAX_TEXT = 40;

/** One line for people: frame, time of day in UTC, who to whom, the message, its fields and options in short. */
export function entryText(entry: Entry): string {
  const { frame } = entry;
  if (!('message' in entry))
    return `${String(frame)} the file ends here: ${entry.error.reason} at octet ${String(entry.error.at)}`;
  const { time, src, dst, message, fields, options } = entry;
  const parts = [
    `${String(frame)} ${timeOfDay(time)} ${src} > ${dst} ${message}`,
    ...fieldTexts(fields),
    ...(options.length === 0 ? [] : [`[${options.map(optionText).join('; ')}]`]),
    ...findings(entry),
  ];
  return parts.join(', ');
}

/** What is to say of a message beyond its contents. */
function findings({ inner, checksum, checks, error }: DissectedMessage): string[] {
  const found: string[] = [];
  if (inner?.src !== undefined && inner.dst !== undefined) found.push(`inner ${inner.src} > ${inner.dst}`);
  for (const [name, result] of Object.entries<CheckResult>({ ...checks })) {
    if (result !== 'absent') found.push(`${name} ${result}`);
  }
  if (checksum === 'bad') found.push('BAD CHECKSUM');
  if (error !== undefined) found.push(`MALFORMED: ${error.reason} at octet ${String(error.at)}`);
  return found;
}

function optionText({ type, critical, length, name, fields = {} }: DissectedOption): string {
  const title = `${name ?? `option ${String(type)}`}${critical ? ' critical' : ''}`;
  const texts = fieldTexts(fields);
  return texts.length === 0 ? `${title} ${String(length)} octets` : `${title} ${texts.join(' ')}`;
}

function fieldTexts(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    const text = short(value);
    return text === undefined ? [] : [`${name} ${text}`];
  });
}

/** Lists by their length; nothing of what is long. */
function short(value: Json): string | undefined {
  if (typeof value === 'string') return value.length > MAX_TEXT ? undefined : value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? String(value.length) : undefined;
}

const MICROS_PER_DAY = 86_400e6;

/** `18:50:57.944018`. */
function timeOfDay(seconds: number): string {
  const micros = ((Math.round(seconds * 1e6) % MICROS_PER_DAY) + MICROS_PER_DAY) % MICROS_PER_DAY;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const clock = [micros / 3600e6, (micros / 60e6) % 60, (micros / 1e6) % 60].map(two).join(':');
  return `${clock}.${String(micros % 1e6).padStart(6, '0')}`;
}
