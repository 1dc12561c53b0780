import ts from 'typescript';

/** A place where a cited piece of code decides, and how to break it. */
export interface Branch {
  readonly file: string;
  readonly line: number;
  /** What stands there, and what takes its place. */
  readonly original: string;
  readonly mutated: string;
  readonly start: number;
  readonly end: number;
  /** Where a note that the branch was taken goes: around an expression, or in front of the statements of a case. */
  readonly note: { readonly from: number; readonly to: number } | { readonly before: number };
}

/** The RFCs of the register. */
const RFCS = '5533|5534|5535|3972|4581|4982';
const OURS = new RegExp(`RFC (?:${RFCS})\\b|\\bS6-\\d{3}|\\b[ARC]-\\d\\d\\b|DEVIATION\\(`);
const FOREIGN = new RegExp(`RFC (?!${RFCS})\\d+(?: §[\\d.]+(?:, §[\\d.]+)*)?`, 'g');

/** Folders in which a section without an RFC is one of the register's. */
const AT_HOME = /^src\/(?:shim6|reap|cga|host)\//;

const BROKEN: ReadonlyMap<ts.SyntaxKind, string> = new Map([
  [ts.SyntaxKind.LessThanToken, '<='],
  [ts.SyntaxKind.LessThanEqualsToken, '<'],
  [ts.SyntaxKind.GreaterThanToken, '>='],
  [ts.SyntaxKind.GreaterThanEqualsToken, '>'],
  [ts.SyntaxKind.EqualsEqualsEqualsToken, '!=='],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, '==='],
  [ts.SyntaxKind.AmpersandAmpersandToken, '||'],
  [ts.SyntaxKind.BarBarToken, '&&'],
]);

/** The branches of a source file that stand in a function or statement whose comment cites a section or a requirement. */
export function citedBranches(file: string, text: string): Branch[] {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
  const branches: Branch[] = [];
  const add = (node: ts.Node, place: ts.Node, mutated: string, note: Branch['note']): void => {
    if (!isCited(node, tree)) return;
    const line = tree.getLineAndCharacterOfPosition(place.getStart()).line + 1;
    const original = place.getText();
    branches.push({ file, line, original, mutated, start: place.getStart(), end: place.end, note });
  };
  const around = (node: ts.Node): Branch['note'] => ({ from: node.getStart(), to: node.end });
  const condition = (node: ts.Node, expression: ts.Expression): void => {
    add(node, expression, `!(${expression.getText()})`, around(expression));
  };
  const visit = (node: ts.Node): void => {
    if (ts.isIfStatement(node)) condition(node, node.expression);
    if (ts.isConditionalExpression(node)) condition(node, node.condition);
    if (ts.isCaseClause(node)) add(node, node.expression, 'Symbol()', { before: node.expression.end + 1 });
    if (ts.isBinaryExpression(node) && !isWholeCondition(node)) {
      const mutated = BROKEN.get(node.operatorToken.kind);
      if (mutated !== undefined) add(node, node.operatorToken, mutated, around(node));
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return branches;
}

/** Of a loop, or an equation that is a condition: negating the one breaks the other. */
function isWholeCondition(node: ts.BinaryExpression): boolean {
  const { parent } = node;
  if (ts.isForStatement(parent)) return true;
  const isEquation =
    node.operatorToken.kind === ts.SyntaxKind.EqualsEqualsEqualsToken ||
    node.operatorToken.kind === ts.SyntaxKind.ExclamationEqualsEqualsToken;
  return isEquation && (ts.isIfStatement(parent) || (ts.isConditionalExpression(parent) && parent.condition === node));
}

function isCited(node: ts.Node, tree: ts.SourceFile): boolean {
  if (cites(commentOnLine(node, tree), tree.fileName)) return true;
  for (let above = node; !ts.isSourceFile(above) && !ts.isClassDeclaration(above); above = above.parent) {
    const isCommented =
      ts.isStatement(above) || ts.isClassElement(above) || ts.isFunctionLike(above) || ts.isCaseClause(above);
    if (isCommented && cites(commentsOf(above, tree), tree.fileName)) return true;
  }
  return false;
}

function commentsOf(node: ts.Node, { text }: ts.SourceFile): string {
  const ranges = [
    ...(ts.getLeadingCommentRanges(text, node.pos) ?? []),
    ...(ts.getTrailingCommentRanges(text, node.end) ?? []),
  ];
  return ranges.map(({ pos, end }) => text.slice(pos, end)).join('\n');
}

/** A comment at the end of the line on which the node starts. */
function commentOnLine(node: ts.Node, tree: ts.SourceFile): string {
  const { line } = tree.getLineAndCharacterOfPosition(node.getStart());
  const [, comment = ''] = /\/\/(.*)$/.exec(tree.text.split('\n')[line] ?? '') ?? [];
  return comment;
}

function cites(comment: string, file: string): boolean {
  return OURS.test(comment) || (AT_HOME.test(file) && /§\s?\w/.test(comment.replaceAll(FOREIGN, '')));
}

/** The source with one branch broken. */
export function broken(text: string, { start, end, mutated }: Branch): string {
  return text.slice(0, start) + mutated + text.slice(end);
}

/** The source with a call of `note(number)` wherever a branch is reached; the numbers count from `first`. */
export function withNotes(text: string, branches: readonly Branch[], first: number, note: string): string {
  const insertions = branches.flatMap((branch, i): { at: number; text: string }[] => {
    const call = `${note}(${String(first + i)})`;
    if ('before' in branch.note) return [{ at: branch.note.before, text: `${call};` }];
    return [
      { at: branch.note.from, text: `(${call}, ` },
      { at: branch.note.to, text: ')' },
    ];
  });
  insertions.sort((a, b) => b.at - a.at);
  return insertions.reduce((result, { at, text }) => result.slice(0, at) + text + result.slice(at), text);
}
