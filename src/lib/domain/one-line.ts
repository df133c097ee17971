// eslint-disable-next-line no-control-regex -- they are what is taken out
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/**
 * Text of others as one line: control characters could rewrite a terminal's screen, or pass for
 * another line of a log.
 */
export function oneLine(text: string): string {
  return text.replaceAll(controls, " ").trim();
}
