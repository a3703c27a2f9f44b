// A model of how findings open and close, fed with the findings as they are after each step of a test: independent of the
// database's triggers, whose sums it checks.
import type { TestServer } from '../../kit/harness.js';

interface State {
  id: string;
  project: string;
  target: string;
  severity: number;
  isOpen: boolean;
  isFix: boolean;
  /** Milliseconds since 1970: when it last opened or closed, and when it was first seen. */
  turnedAt: number | null;
  firstSeenAt: number;
}

export interface Turn {
  project: string;
  target: string;
  at: number;
  severity: number;
  /** Of the number of open findings. */
  change: number;
  opened: number;
  closed: number;
  resolved: number;
  seconds: number;
}

const sinceOf = ({ turnedAt, firstSeenAt }: State) => turnedAt ?? firstSeenAt;

/** Starts the model with no findings; `observe` reads them after a step and notes what turned. */
export function startTurns(server: TestServer) {
  const turns: Turn[] = [];
  let before = new Map<string, State>();

  const note = (state: State, at: number, change: number, more: Partial<Turn> = {}) => {
    const { project, target, severity } = state;
    turns.push({
      ...{ project, target, at, severity, change },
      ...{ opened: 0, closed: 0, resolved: 0, seconds: 0 },
      ...more,
    });
  };

  function compare(was: State | undefined, now: State | undefined): void {
    if (now?.isOpen && !was?.isOpen) note(now, sinceOf(now), 1, { opened: 1 });
    if (was?.isOpen && now === undefined) note(was, sinceOf(was), -1, { opened: -1 });
    if (was?.isOpen && now !== undefined && !now.isOpen) {
      const seconds = now.isFix ? Math.max(sinceOf(now) - sinceOf(was), 0) / 1000 : 0;
      note(was, sinceOf(now), -1, { closed: 1, resolved: now.isFix ? 1 : 0, seconds });
    }
    if (was?.isOpen && now?.isOpen && was.severity !== now.severity) {
      note(was, Date.now(), -1);
      note(now, Date.now(), 1);
    }
  }

  return {
    turns,
    async observe(): Promise<void> {
      const rows = await server.sql<State>(`
        SELECT finding.id, project.key AS project, series.target, severity,
          is_present AND triage IN ('OPEN', 'CONFIRMED') AS "isOpen", NOT is_present OR triage = 'RESOLVED' AS "isFix",
          extract(epoch FROM turned_at)::float8 * 1000 AS "turnedAt", extract(epoch FROM first_seen_at)::float8 * 1000 AS "firstSeenAt"
        FROM findings AS finding JOIN scan_series AS series ON series.id = series_id
        JOIN projects AS project ON project.id = finding.project_id`);
      const now = new Map(rows.map((row) => [row.id, row]));
      for (const id of new Set([...before.keys(), ...now.keys()])) compare(before.get(id), now.get(id));
      before = now;
    },
  };
}
