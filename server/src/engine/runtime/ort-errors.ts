/** onnxruntime's messages made readable: no source paths, no C++ signatures, the node's name kept. */

const MAX_LENGTH = 400;

/** One line for a user, at most a few hundred characters. */
export function cleanReason(error: unknown): string {
  const raw = error instanceof Error ? error.message : String(error);
  const text = withoutSources(raw.replace(/\s+/g, ' '))
    .replace(/\b(?:onnxruntime|onnx)::(?:\w+::)*/g, '')
    .replace(
      /Non-zero status code returned while running (\w+) node\. Name:\s*'([^']*)'\s*Status Message:\s*/g,
      (_, op: string, name: string) => (name === '' ? `${op}: ` : `${op} '${name}': `),
    )
    .replace(
      /This is an invalid model\. In Node, \("([^"]*)", (\w+), .*? , ?Error:? (.*)$/,
      (_, name: string, op: string, reason: string) => `${op} '${name}': ${reason}`,
    )
    .replace(/\[ONNXRuntimeError\]\s*:\s*\d+\s*:\s*\w+\s*:\s*/g, '')
    .replace(
      /^(?:(?:Error|Failed to load model with error|Load model from \S+ failed|Exception during initialization|Fatal error|This is an invalid model\.(?: Error)?):\s*)+/i,
      '',
    )
    .trim();
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
}

/** Name of the node that a cleaned reason speaks of, if any. */
export function nodeOfReason(reason: string): string | undefined {
  const match =
    /^\w+ '([^']+)': /.exec(reason) ??
    /\bNode:? ?\("?([^")]+)"?[,)]/.exec(reason) ??
    /\bnode (?:named |with name )'?([\w./:-]+)'?/.exec(reason);
  return match?.[1];
}

/** Drops every `…/file.cc:123 virtual Status f(args) const [with T = float] ` in front of a reason. */
function withoutSources(text: string): string {
  const source = /\S*[\\/]\S+\.(?:cc|h|cpp|hpp|cuh?):\d+:?\s*/g;
  let result = '';
  let done = 0;
  for (let match = source.exec(text); match; match = source.exec(text)) {
    result += text.slice(done, match.index);
    const start = match.index + match[0].length;
    done = start + signatureLength(text.slice(start));
    source.lastIndex = done;
  }
  return result + text.slice(done);
}

/** Characters of a C++ function signature at the start of `text`; 0 when there is none. */
function signatureLength(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if ('(<['.includes(char)) depth++;
    if (')>]'.includes(char)) depth--;
    if (depth < 0) return 0;
    // A sentence before the first bracket: this was no signature.
    if (depth === 0 && /[.!?'"]/.test(char)) return 0;
    if (depth > 0 || (char !== ')' && char !== ']') || text.charAt(at + 1) !== ' ') continue;
    const rest = text.slice(at + 2);
    if (!/^(?:const\b|noexcept\b|\[with )/.test(rest)) return at + 2;
  }
  return 0;
}
