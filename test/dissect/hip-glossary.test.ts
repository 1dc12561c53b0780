import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PACKET_TYPES } from '../../src/hip/packet.ts';
import { PARAMETER_TYPES } from '../../src/hip/parameter.ts';
import { hipStory, shortened } from './hip-story.ts';

const GLOSSARY = readFileSync('docs/glossary.md', 'utf8');
const EXAMPLES = [...GLOSSARY.matchAll(/^### (?:HIP (\w+)|(ESP) packet)\n[^#]*?^```json\n([\s\S]*?)^```/gm)].map(
  ([, hip, esp, text = '']): { name: string; entry: unknown } => ({ name: hip ?? esp ?? '', entry: JSON.parse(text) }),
);
const entries = hipStory().map(shortened);

describe('the glossary', () => {
  it('has an example of each message of HIP and of ESP', () => {
    expect(EXAMPLES.map(({ name }) => name).sort()).toEqual([...Object.keys(PACKET_TYPES), 'ESP'].sort());
  });

  it.each(EXAMPLES)('shows of $name what dissecting gives, with long octets cut off', ({ name, entry }) => {
    expect(entry).toMatchObject({ message: name });
    expect(entries).toContainEqual(entry);
  });

  it('names every parameter with its type', () => {
    for (const [name, type] of Object.entries(PARAMETER_TYPES))
      expect(GLOSSARY).toContain(`| \`${name}\` | ${String(type)} |`);
  });
});
