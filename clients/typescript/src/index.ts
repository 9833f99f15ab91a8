export { Client, newKey, stderrBytes, stdoutBytes, type JobsQuery } from "./client.js";
export type { JobEvent, Output } from "./events.js";
export { noProblemDocument, ProblemError } from "./problem.js";
export * from "./schema.js"; // types, all of them
export type { CallOptions, ClientOptions } from "./transport.js";
