// Lets a plain `node --import` run the TypeScript sources, for test programs that live in a network namespace of their own.
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

if (isMainThread) register(import.meta.url);

/** @type {typeof import('typescript').default | undefined} */
let typescript;

export async function load(url, context, nextLoad) {
  if (!url.endsWith('.ts')) return nextLoad(url, context);
  typescript ??= (await import('typescript')).default;
  const { ModuleKind, ScriptTarget, transpileModule } = typescript;
  const text = await readFile(new URL(url), 'utf8');
  const options = {
    module: ModuleKind.ESNext,
    target: ScriptTarget.ES2023,
    verbatimModuleSyntax: true,
    inlineSourceMap: true,
  };
  const source = transpileModule(text, { compilerOptions: options, fileName: url }).outputText;
  return { format: 'module', shortCircuit: true, source };
}
