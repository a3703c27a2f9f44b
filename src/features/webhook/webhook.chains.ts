// Sorts waiting deliveries of a webhook into chains: each is delivered in order, and beside the others, as no finding is in two.

/** A delivery that waits. */
export interface Waiting {
  id: string;
  /** `PROJECT/TARGET`: see `order_key` in prisma/schema.prisma. */
  orderKey: string;
  isDue: boolean;
  attempts: number;
}

interface Project {
  /** Keys of the project with a delivery that is not due, or behind one. */
  blocked: Set<string>;
  chains: Map<string, Waiting[]>;
  /** Whether everything later of the project waits. */
  isClosed: boolean;
}

/**
 * Sorts the deliveries that may be sent now into chains. Behind a delivery that is not due, later ones of its target wait; one
 * that is about a whole project waits for all earlier ones of the project, and all later ones wait for it.
 * @param waiting in the order of the events
 */
export function chainsOf(waiting: readonly Waiting[]): Waiting[][] {
  const projects = new Map<string, Project>();
  for (const delivery of waiting) {
    const [name = '', target = ''] = delivery.orderKey.split('/');
    const project = projects.get(name) ?? { blocked: new Set(), chains: new Map(), isClosed: false };
    projects.set(name, project);
    place(project, target, delivery);
  }
  return [...projects.values()].flatMap(({ chains }) => [...chains.values()]);
}

function place(project: Project, target: string, delivery: Waiting): void {
  const { blocked, chains } = project;
  if (project.isClosed) return;
  const isAlone = target === '' ? chains.size + blocked.size === (chains.has('') ? 1 : 0) : !chains.has('');
  if (!isAlone) {
    project.isClosed = true;
    return;
  }
  if (blocked.has(target)) return;
  if (!delivery.isDue) {
    blocked.add(target);
    if (target === '') project.isClosed = true;
    return;
  }
  const chain = chains.get(target);
  if (chain === undefined) chains.set(target, [delivery]);
  else chain.push(delivery);
}
