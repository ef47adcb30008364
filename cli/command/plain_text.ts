export { terminalText as plainText } from "./terminal_text.ts";
