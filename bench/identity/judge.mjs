// Compares pairs with the right answer: a result is the same as an earlier one if its line has the same mark and its rule is the same.

/**
 * @param {{ tag: string, message: string }[]} olds
 * @param {{ tag: string, message: string }[]} news
 * @param {[number, number][]} pairs
 * @returns {{ falselyNew: number, falselyAbsent: number, wrong: number, findings: number }}
 */
export function judge(olds, news, pairs) {
  const classes = new Map();
  const classOf = (tag) => {
    if (!classes.has(tag)) classes.set(tag, { olds: [], news: [], oldLeft: 0, newLeft: 0 });
    return classes.get(tag);
  };
  for (const { tag, message } of olds) classOf(tag).olds.push(message);
  for (const { tag, message } of news) classOf(tag).news.push(message);
  const [pairedOlds, pairedNews] = [new Set(), new Set()];
  let wrong = 0;
  for (const [old, now] of pairs) {
    pairedOlds.add(old);
    pairedNews.add(now);
    if (!isSame(olds[old], news[now], classOf(olds[old].tag))) wrong += 1;
  }
  for (const [index, { tag }] of olds.entries()) if (!pairedOlds.has(index)) classOf(tag).oldLeft += 1;
  for (const [index, { tag }] of news.entries()) if (!pairedNews.has(index)) classOf(tag).newLeft += 1;
  let [falselyNew, falselyAbsent] = [0, 0];
  for (const one of classes.values()) {
    const more = one.news.length - one.olds.length;
    falselyNew += Math.max(0, one.newLeft - Math.max(0, more));
    falselyAbsent += Math.max(0, one.oldLeft - Math.max(0, -more));
  }
  return { falselyNew, falselyAbsent, wrong, findings: news.length };
}

/** Of several results of a rule on one line, those with the same message belong together. */
function isSame(old, now, { olds, news }) {
  if (old.tag !== now.tag) return false;
  if (old.message === now.message) return true;
  return !news.includes(old.message) && !olds.includes(now.message);
}

/** Adds figures up. */
export function add(sum, figures) {
  for (const [name, value] of Object.entries(figures)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
}

export const errorsOf = ({ falselyNew, falselyAbsent, wrong }) => falselyNew + falselyAbsent + wrong;
