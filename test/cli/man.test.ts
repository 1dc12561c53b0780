import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { lociPage, locidPage, locidTomlPage } from '../../src/cli/man.ts';
import type { ManualPage } from '../../src/cli/man.ts';
import { lociProgram } from '../../src/cli/program.ts';
import { locidProgram } from '../../src/daemon/program.ts';
import { configJsonSchema } from '../../src/daemon/schema.ts';

const silent = { out: () => undefined, err: () => undefined, coloured: false, enough: new AbortController().signal };
const pages = [lociPage(lociProgram(silent)), locidPage(locidProgram()), locidTomlPage(configJsonSchema())];
const [loci, locid, toml] = pages.map(plain);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'loci-man-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What a reader sees, nearly: without requests and escapes. */
function plain({ text }: ManualPage): string {
  return text
    .replaceAll(/^\.(?:TH|SH|SS|TP|PP|RS|RE|nh|B|I)\b ?/gm, '')
    .replaceAll('\\-', '-')
    .replaceAll('\\(aq', "'")
    .replaceAll('\\(dq', '\\"')
    .replaceAll(/\\\[u([0-9A-F]{4})\]/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replaceAll('\\"', '"')
    .replaceAll(/^"(.*)"$/gm, '$1');
}

/** Every command that does something, with the words that call it. */
function commandsOf(program: Command, words = ''): [words: string, command: Command][] {
  return program.commands.flatMap((command) => {
    const path = `${words}${command.name()}`;
    return command.commands.length > 0 ? commandsOf(command, `${path} `) : [[path, command]];
  });
}

describe('loci(1)', () => {
  const program = lociProgram(silent);
  it.each(commandsOf(program))('has the command %s with its operands and options', (words, command) => {
    const section = loci?.split(`\n${words}\nloci ${words}\n`)[1] ?? '';
    expect(section).not.toBe('');
    for (const argument of command.registeredArguments) expect(section).toContain(`\n${argument.name()}\n`);
    for (const option of command.options) expect(section).toContain(option.long);
  });

  it('has the options of all commands', () => {
    for (const option of program.options) expect(loci).toContain(`${option.flags}\n${option.description}`);
  });
});

describe('locid(8)', () => {
  it('has every option, with its default', () => {
    for (const option of locidProgram().options) expect(locid).toContain(`${option.flags}\n${option.description}`);
    expect(locid).toContain('/etc/loci/locid.toml');
  });
});

describe('locid.toml(5)', () => {
  it('has every key and table, with description and default', () => {
    const visit = (schema: unknown): void => {
      const { properties } = z.object({ properties: z.record(z.string(), z.looseObject({})) }).parse(schema);
      for (const [key, inner] of Object.entries(properties)) {
        if ('properties' in inner) visit(inner);
        else expect(toml).toContain(`\n${key}\n${String(inner['description'])}`);
      }
    };
    visit(configJsonSchema());
    expect(toml).toContain('TABLE [detection.send_timeout_ms]');
    expect(toml).toContain('Default: 0x10000000.');
    expect(toml).toContain('Default: [53].');
  });
});

describe('the text of a page', () => {
  it('shows backslashes, quotes, hyphens, leading dots and letters beyond ASCII as they are', () => {
    const program = new Command('loci').description('d');
    program.command('x').description(`.TH "a"\\n 'b' -- §`);
    const { text } = lociPage(program);
    expect(text).toContain('\n\\&.TH \\(dqa\\(dq\\en \\(aqb\\(aq \\-\\- \\[u00A7].\n');
  });

  it.each(pages.map((page) => [`${page.name}.${String(page.section)}`, page] as const))(
    '%s is the same each time, and formats without a warning where there is a formatter',
    (name, { text }) => {
      expect(text).toMatch(/^\.TH "[A-Z.]+" [158] "" "loci \d+\.\d+\.\d+"\n/);
      expect(text).not.toMatch(/[^\x20-\x7e\n]/);
      const file = join(folder, name);
      writeFileSync(file, text);
      const tools = [
        ['groff', '-man', '-Tutf8', '-ww', '-z', file],
        ['man', '--warnings=all', '-l', file],
      ];
      for (const [tool = '', ...args] of tools) {
        const { error, status, stderr } = spawnSync(tool, args, {
          encoding: 'utf8',
          env: { ...process.env, LC_ALL: 'C.UTF-8' },
        });
        if (error !== undefined) continue; // not installed
        expect([tool, stderr.trim(), status]).toEqual([tool, '', 0]);
      }
    },
  );
});

describe('the package', () => {
  it('installs the pages that the build writes', () => {
    const { man } = z.object({ man: z.array(z.string()) }).parse(JSON.parse(readFileSync('package.json', 'utf8')));
    expect(man).toEqual(pages.map(({ name, section }) => `dist/man/${name}.${String(section)}`));
  });
});
