import { writeFileSync } from 'node:fs';
import { configJsonSchema } from './schema.ts';

writeFileSync(
  new URL('../../docs/locid.schema.json', import.meta.url),
  `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`,
);
