// Prints the schemas of an OpenAPI document as one JSON Schema, as quicktype reads it.
//
// Closed sets become plain text with the set in its description: a verdict or state that a
// newer service has must not be an error in a program that only prints it.
import { readFileSync } from "node:fs";
import { load } from "js-yaml";

const { schemas } = load(readFileSync(process.argv[2], "utf8")).components;

function open(schema) {
  if (Array.isArray(schema)) return schema.map(open);
  if (schema === null || typeof schema !== "object") return schema;
  const { enum: set, ...rest } = schema;
  const out = Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, open(value)]));
  if (Array.isArray(set)) out.description = [schema.description, `One of: ${set.join(", ")}`].filter(Boolean).join(". ");
  return out;
}

// What is only text has no class of its own; where it stands its description goes along.
const texts = Object.fromEntries(Object.entries(schemas).filter(([, s]) => s.enum).map(([name, s]) => [name, open(s)]));
function inline(schema) {
  if (Array.isArray(schema)) return schema.map(inline);
  if (schema === null || typeof schema !== "object") return schema;
  const text = texts[schema.$ref?.replace("#/components/schemas/", "")];
  if (text) return { ...text, description: [schema.description, text.description].filter(Boolean).join(". ") };
  return Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, inline(value)]));
}

const definitions = Object.fromEntries(
  Object.entries(schemas).filter(([name]) => !texts[name]).map(([name, s]) => [name, inline(open(s))]));
console.log(JSON.stringify({ definitions }).replaceAll("#/components/schemas/", "#/definitions/"));
