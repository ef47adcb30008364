import ts from "typescript";

/** A place where a promise's rejection has nobody to go to. */
export interface FloatingPromise {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly what: string;
}

/**
 * What vouches for a promise that `void` drops: these words in the comment on the function that returned it, or at the start of a comment
 * on the statement.
 */
const NEVER_REJECTS = "Never rejects";
/** These call their listener and drop what it returns, although their types say `any`. */
const DROPPING = new Set([
  "addEventListener",
  "on",
  "once",
  "addListener",
  "prependListener",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "forEach",
  "nextTick",
]);

/**
 * Finds the promises whose rejection nobody handles; in Deno such a rejection ends the process.
 *
 * - A statement drops a promise: it neither awaits it nor ends with `.catch(…)` or `.then(…, …)`. `void` handles nothing, so it takes a
 *   comment with {@link NEVER_REJECTS}.
 * - A function that returns a promise stands where one that returns nothing is expected: as an argument, a property, a variable, a
 *   return value or a method of a class that implements an interface.
 * - `return promise` inside `try`, or after `using`: the rejection passes the `catch`, and clean-up runs too early.
 * - A promise as a condition, which is always true.
 *
 * @param files the modules of `program` to look at
 */
export function floatingPromises(program: ts.Program, files: readonly ts.SourceFile[]): FloatingPromise[] {
  const checker = program.getTypeChecker();
  const found: FloatingPromise[] = [];

  const isPromise = (type: ts.Type): boolean => {
    if (type.isUnion()) return type.types.some(isPromise);
    const then = type.getProperty("then");
    return then !== undefined &&
      checker.getTypeOfSymbol(then).getCallSignatures().some(({ parameters: [resolved] }) =>
        resolved !== undefined && constituents(checker.getTypeOfSymbol(resolved)).some((taken) => taken.getCallSignatures().length > 0)
      );
  };
  const isAlwaysPromise = (type: ts.Type): boolean => constituents(type).every((part) => !part.isUnion() && isPromise(part));
  const isPromiseOrMany = (type: ts.Type): boolean =>
    isPromise(type) ||
    constituents(type).some((part) =>
      (checker.isArrayType(part) || checker.isTupleType(part)) && checker.getTypeArguments(part as ts.TypeReference).some(isPromise)
    );
  const returnsPromise = (type: ts.Type): boolean =>
    constituents(type).some((part) => part.getCallSignatures().some((signature) => isPromise(signature.getReturnType())));
  const isFunction = (node: ts.Node): boolean => checker.getTypeAtLocation(node).getCallSignatures().length > 0;
  /** Whether whoever calls a value of this type drops what it returns. */
  const dropsResult = (type: ts.Type, anyToo: boolean): boolean => {
    const returned = constituents(type).flatMap((part) => part.getCallSignatures()).map((signature) => signature.getReturnType());
    const dropped = ts.TypeFlags.Void | (anyToo ? ts.TypeFlags.Any : 0);
    return returned.length > 0 && returned.every(({ flags }) => (flags & dropped) !== 0);
  };

  for (const file of files) {
    const report = (node: ts.Node, what: string) => {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
      found.push({ path: file.fileName, line: line + 1, what });
    };

    /** Whether dropping this expression's value loses a rejection. */
    const floats = (node: ts.Expression): boolean => {
      if (ts.isParenthesizedExpression(node) || ts.isNonNullExpression(node)) return floats(node.expression);
      if (ts.isVoidExpression(node)) return floats(node.expression);
      if (ts.isConditionalExpression(node)) return floats(node.whenTrue) || floats(node.whenFalse);
      if (ts.isBinaryExpression(node)) {
        const { kind } = node.operatorToken;
        if (kind === ts.SyntaxKind.CommaToken) return floats(node.left) || floats(node.right);
        if (kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment) return false;
        const logical = [ts.SyntaxKind.AmpersandAmpersandToken, ts.SyntaxKind.BarBarToken, ts.SyntaxKind.QuestionQuestionToken];
        if (logical.includes(kind)) return floats(node.left) || floats(node.right);
      }
      if (
        ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) &&
        isPromise(checker.getTypeAtLocation(node.expression.expression))
      ) {
        const { name, expression } = node.expression;
        const [first, second] = node.arguments;
        if (name.text === "finally") return floats(expression);
        const handler = name.text === "catch" ? first : name.text === "then" ? second : undefined;
        if (handler && isFunction(handler)) {
          return node.arguments.some((argument) => returnsPromise(checker.getTypeAtLocation(argument)));
        }
      }
      return isPromiseOrMany(checker.getTypeAtLocation(node));
    };

    /** Whether a comment says that the promise that `void` drops never rejects. */
    const vouched = ({ expression }: ts.VoidExpression): boolean => {
      const called = ts.isCallExpression(expression) && checker.getResolvedSignature(expression)?.declaration;
      if (called && saysNeverRejects(commentBefore(ts.findAncestor(called, isStatementOrMember) ?? called))) return true;
      for (let node: ts.Node = expression; node !== file; node = node.parent) {
        if (saysNeverRejects(commentBefore(node))) return true;
        if (ts.isStatement(node) && !ts.isBlock(node)) return false;
      }
      return false;
    };

    /** Whether a function's result is dropped where this value goes. */
    const misplaced = (value: ts.Expression): boolean => {
      const type = checker.getTypeAtLocation(value);
      if (!returnsPromise(type)) return false;
      const expected = checker.getContextualType(value);
      if (!expected) return false;
      return dropsResult(expected, takesListener(value));
    };

    const checkMethods = (node: ts.ClassLikeDeclaration) => {
      for (const { types } of node.heritageClauses ?? []) {
        for (const base of types.map((type) => checker.getTypeAtLocation(type))) {
          for (const member of node.members) {
            const name = member.name && ts.isIdentifier(member.name) ? member.name.text : undefined;
            const inherited = name === undefined ? undefined : base.getProperty(name);
            if (inherited && dropsResult(checker.getTypeOfSymbol(inherited), false) && returnsPromise(checker.getTypeAtLocation(member))) {
              report(member, `${name} returns a promise, but what it implements returns nothing`);
            }
          }
        }
      }
    };

    const visit = (node: ts.Node) => {
      if (ts.isVoidExpression(node)) {
        if (floats(node.expression) && !vouched(node)) report(node, "void drops a promise, and no comment says that it never rejects");
      } else if (ts.isExpressionStatement(node) && !ts.isVoidExpression(node.expression) && floats(node.expression)) {
        report(node, "a promise is dropped");
      }
      if (isFunctionValue(node) && misplaced(node)) report(node, "an async function stands where a function without a result is expected");
      if (ts.isMethodDeclaration(node) && ts.isObjectLiteralExpression(node.parent) && returnsPromise(checker.getTypeAtLocation(node))) {
        const property = checker.getContextualType(node.parent)?.getProperty(node.name.getText(file));
        if (property && dropsResult(checker.getTypeOfSymbol(property), false)) {
          report(node, "an async method stands where a function without a result is expected");
        }
      }
      if (ts.isShorthandPropertyAssignment(node) && returnsPromise(checker.getTypeAtLocation(node.name))) {
        const property = checker.getContextualType(node.parent)?.getProperty(node.name.text);
        if (property && dropsResult(checker.getTypeOfSymbol(property), false)) {
          report(node, "an async function stands where a function without a result is expected");
        }
      }
      if (ts.isClassLike(node)) checkMethods(node);
      if (ts.isReturnStatement(node) && node.expression && isPromise(checker.getTypeAtLocation(node.expression)) && inGuardedBlock(node)) {
        report(node, "a promise is returned without await inside try or after using");
      }
      const condition = conditionOf(node);
      if (condition && isAlwaysPromise(checker.getTypeAtLocation(condition))) {
        report(condition, "a promise is a condition, and always true");
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

function isStatementOrMember(node: ts.Node): boolean {
  return ts.isStatement(node) && !ts.isBlock(node) || ts.isClassElement(node) || ts.isTypeElement(node);
}

/** The comments right before a node. */
function commentBefore(node: ts.Node): string {
  const { text } = node.getSourceFile();
  return (ts.getLeadingCommentRanges(text, node.pos) ?? []).map(({ pos, end }) => text.slice(pos, end)).join("\n");
}

function saysNeverRejects(comment: string): boolean {
  return comment.includes(NEVER_REJECTS);
}

function constituents(type: ts.Type): readonly ts.Type[] {
  return type.isUnion() ? type.types : [type];
}

/** Whether a node is an expression that may be a function, and not the callee of a call. */
function isFunctionValue(node: ts.Node): node is ts.Expression {
  if (
    !(ts.isArrowFunction(node) || ts.isFunctionExpression(node) || ts.isIdentifier(node) || ts.isPropertyAccessExpression(node) ||
      ts.isCallExpression(node))
  ) return false;
  const { parent } = node;
  if (ts.isCallExpression(parent) || ts.isNewExpression(parent)) return (parent.arguments ?? []).some((argument) => argument === node);
  return ts.isPropertyAssignment(parent) && parent.initializer === node ||
    ts.isVariableDeclaration(parent) && parent.initializer === node ||
    ts.isPropertyDeclaration(parent) && parent.initializer === node || ts.isParameter(parent) && parent.initializer === node ||
    ts.isReturnStatement(parent) || ts.isArrowFunction(parent) && parent.body === node || ts.isArrayLiteralExpression(parent) ||
    ts.isConditionalExpression(parent) && parent.condition !== node || ts.isParenthesizedExpression(parent) ||
    ts.isBinaryExpression(parent) && parent.right === node;
}

/** Whether a value is an argument of a call whose function drops what its listener returns. */
function takesListener(value: ts.Node): boolean {
  const { parent } = value;
  if (!ts.isCallExpression(parent)) return false;
  const { expression: callee } = parent;
  return DROPPING.has(ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText());
}

/** What a statement or an operator takes as true or false. */
function conditionOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node)) return node.expression;
  if (ts.isConditionalExpression(node) || ts.isForStatement(node)) return node.condition;
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) return node.operand;
  const and = ts.isBinaryExpression(node) &&
    [ts.SyntaxKind.AmpersandAmpersandToken, ts.SyntaxKind.BarBarToken].includes(node.operatorToken.kind);
  return and ? node.left : undefined;
}

/** Whether a return leaves a `try` that has something to do then, or a block whose `using` is disposed of then. */
function inGuardedBlock(statement: ts.Node): boolean {
  for (let node = statement; !ts.isFunctionLike(node) && node.parent; node = node.parent) {
    const { parent } = node;
    if (ts.isTryStatement(parent) && (node === parent.tryBlock || node === parent.catchClause && parent.finallyBlock)) return true;
    if (ts.isBlock(parent)) {
      const before = parent.statements.slice(0, parent.statements.indexOf(node as ts.Statement));
      if (before.some((other) => ts.isVariableStatement(other) && (other.declarationList.flags & ts.NodeFlags.Using) !== 0)) return true;
    }
  }
  return false;
}
