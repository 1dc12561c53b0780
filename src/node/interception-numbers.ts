/** The numbers that interception takes from the kernel's shared name spaces; all configurable. */
export interface InterceptionNumbers {
  /** Preference of the rule that leads to the routes of diverted pairs. */
  readonly divertPreference: number;
  readonly divertTable: number;
  /** Preference of the rules of the first locator; the next one has the next. */
  readonly locatorPreference: number;
  /** Table of the first locator; the next one has the next. Behind all of them come as many for routes to peers. */
  readonly locatorTable: number;
  /** How many locators can have tables at the same time. */
  readonly maxLocators: number;
  /** A single bit that our own sockets set on what they send. */
  readonly mark: number;
}

export const DEFAULT_NUMBERS: InterceptionNumbers = {
  divertPreference: 100,
  divertTable: 533,
  locatorPreference: 2001,
  locatorTable: 1001,
  maxLocators: 32,
  mark: 0x10000000,
};
