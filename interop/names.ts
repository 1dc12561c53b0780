/** In the order in which they run. */
export const SCENARIO_NAMES = [
  'establishment',
  'unknown-critical-option',
  'data-across-failover',
  'locator-update',
  'context-lost',
  'peer-restart',
  'teardown',
] as const;

export type ScenarioName = (typeof SCENARIO_NAMES)[number];
