import { describe, expect, it } from 'vitest';
import { SharedEvidence } from '../../src/host/shared-evidence.ts';

const PATIENCE = 40;
const OLD = 'old way';
const NEW = 'new way';

function evidence(): SharedEvidence<string> {
  return new SharedEvidence<string>();
}

describe('evidence that contexts share', () => {
  it('lets the first that suspects explore, and the others of its class wait', () => {
    const shared = evidence();
    const [x, y, elsewhere] = [shared.acquire(OLD, 'x'), shared.acquire(OLD, 'y'), shared.acquire(NEW, 'x')];
    expect(shared.suspects('a', x, PATIENCE, 0).what).toBe('explore');
    expect(shared.suspects('b', y, PATIENCE, 1).what).toBe('wait');
    expect(shared.suspects('c', elsewhere, PATIENCE, 2).what).toBe('explore');
  });

  it('sends those that waited, and only those, where the explorer went', () => {
    const shared = evidence();
    const way = shared.acquire(OLD, 'x');
    shared.suspects('a', way, PATIENCE, 0);
    shared.suspects('b', way, PATIENCE, 1);
    shared.moved('a', way, NEW, true, 10);
    expect(shared.deadline).toBeLessThanOrEqual(10);
    expect(shared.takeFreed(10)).toEqual([{ member: 'b', to: NEW }]);
    expect(shared.takeFreed(10)).toEqual([]);
    expect(shared.deadline).toBe(Number.POSITIVE_INFINITY);
  });

  it('sends who suspects later there at once, unless something came in on the old way since', () => {
    const shared = evidence();
    const way = shared.acquire(OLD, 'x');
    shared.suspects('a', way, PATIENCE, 0);
    shared.moved('a', way, NEW, true, 10);
    expect(shared.suspects('b', way, PATIENCE, 20)).toEqual({ what: 'follow', to: NEW });
    shared.heard(way, 200);
    expect(shared.suspects('c', way, PATIENCE, 210).what).toBe('explore');
  });

  it('forgets a move after ten seconds, and when somebody goes back', () => {
    const shared = evidence();
    const [old, fresh] = [shared.acquire(OLD, 'x'), shared.acquire(NEW, 'x')];
    shared.moved('a', old, NEW, true, 0);
    expect(shared.suspects('b', old, PATIENCE, 10_000).what).toBe('explore');
    shared.moved('c', old, NEW, true, 20_000);
    shared.moved('c', fresh, OLD, true, 21_000);
    shared.left('b', old);
    expect(shared.suspects('d', old, PATIENCE, 21_001).what).toBe('explore');
  });

  it('tells those that waited when the alarm was false', () => {
    const shared = evidence();
    const way = shared.acquire(OLD, 'x');
    shared.suspects('a', way, PATIENCE, 0);
    shared.suspects('b', way, PATIENCE, 0);
    shared.cleared('a', way);
    expect(shared.takeFreed(10)).toEqual([{ member: 'b', to: OLD }]);
  });

  it('lets another one explore when the first found nothing in time, and everybody after the third', () => {
    const shared = evidence();
    const way = shared.acquire(OLD, 'x');
    shared.suspects('a', way, PATIENCE, 0);
    for (const name of ['b', 'c', 'd', 'e']) shared.suspects(name, way, PATIENCE, 0);
    const next = (now: number): string[] => shared.due(() => PATIENCE, now);
    expect(shared.deadline).toBe(PATIENCE);
    expect(next(PATIENCE - 1)).toEqual([]);
    expect(next(PATIENCE)).toEqual(['b']);
    expect(next(2 * PATIENCE)).toEqual(['c']);
    expect(next(3 * PATIENCE)).toEqual(['d', 'e']);
  });

  it('does not wait for an explorer that has gone', () => {
    const shared = evidence();
    const way = shared.acquire(OLD, 'x');
    shared.suspects('a', way, PATIENCE, 0);
    shared.suspects('b', way, PATIENCE, 0);
    shared.left('a', way);
    expect(shared.due(() => PATIENCE, 1)).toEqual(['b']);
  });
});
