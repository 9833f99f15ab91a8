import { load } from "js-yaml";
import { useEffect, useState } from "preact/hooks";
import { said } from "./session.js";
import { Table } from "./table.js";

interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: unknown[];
  items?: Schema;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  required?: string[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
}

interface Body {
  content?: Record<string, { schema?: Schema }>;
}

interface Operation {
  summary?: string;
  description?: string;
  operationId?: string;
  security?: unknown[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: Body;
  responses?: Record<string, Body & { description?: string }>;
}

interface Description {
  info: { title: string; description?: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
  webhooks?: Record<string, Record<string, Operation>>;
}

const methods = ["get", "put", "post", "delete", "head", "patch"];

/** The API, as the running service describes it. */
export function Reference() {
  const [description, setDescription] = useState<Description>();
  const [wrong, setWrong] = useState("");
  const [wanted, setWanted] = useState("");
  useEffect(() => {
    void (async () => {
      try {
        const response = await fetch("/openapi.yaml");
        if (!response.ok) throw new Error(`/openapi.yaml: status ${response.status}`);
        setDescription(load(await response.text()) as Description);
      } catch (error) {
        setWrong(said(error));
      }
    })();
  }, []);
  useEffect(reveal, [description]);
  useEffect(() => {
    addEventListener("hashchange", reveal);
    return () => removeEventListener("hashchange", reveal);
  }, []);
  if (description === undefined) return <main class="wide" aria-busy={wrong === ""}><h1>API</h1><p role="alert" class="bad">{wrong}</p></main>;
  const fits = (text: string) => text.toLowerCase().includes(wanted.toLowerCase());
  const paths = Object.entries(description.paths).sort(([a], [b]) => Number(b.startsWith("/v1/")) - Number(a.startsWith("/v1/")));
  const operations = paths.flatMap(([path, item]) => methods.filter((m) => item[m] !== undefined).map((method) => ({ path, method, op: item[method] as Operation })));
  const hooks = Object.entries(description.webhooks ?? {}).flatMap(([path, item]) => methods.filter((m) => item[m] !== undefined).map((method) => ({ path, method, op: item[method] as Operation })));
  const shown = operations.filter((o) => fits(o.method + " " + o.path + " " + (o.op.summary ?? "")));
  const types = Object.entries(description.components.schemas).filter(([name]) => fits(name));
  return (
    <main class="wide reference">
      <h1>
        {description.info.title} API, version {description.info.version}
      </h1>
      <p>
        {description.info.description} What follows is made from <a href="/openapi.yaml">/openapi.yaml</a> of this service.
      </p>
      <label class="inline">
        <span>Find</span>
        <input type="search" value={wanted} onInput={(e) => setWanted(e.currentTarget.value)} placeholder="a route or a type" />
      </label>
      <h2>Routes</h2>
      {shown.map((o) => (
        <OperationView key={o.method + o.path} {...o} />
      ))}
      {hooks.length > 0 && wanted === "" && (
        <>
          <h2>Webhooks</h2>
          {hooks.map((o) => (
            <OperationView key={o.method + o.path} {...o} />
          ))}
        </>
      )}
      <h2>Types</h2>
      {types.map(([name, schema]) => (
        <details key={name} id={`type-${name}`} class="card">
          <summary>
            <code>{name}</code> <span class="small">{schema.enum !== undefined ? "one of " + schema.enum.length : ""}</span>
          </summary>
          <SchemaView name={name} schema={schema} />
        </details>
      ))}
      <p class="small">
        What this page is made of: <a href="/licenses.txt">licenses</a>.
      </p>
      {shown.length + types.length === 0 && <p class="empty">Nothing has that name.</p>}
    </main>
  );
}

/** Opens what the address names. */
function reveal(): void {
  const at = document.getElementById(location.hash.slice(1)); // names here have nothing to escape
  if (at instanceof HTMLDetailsElement) at.open = true;
  at?.scrollIntoView();
}

function OperationView({ path, method, op }: { path: string; method: string; op: Operation }) {
  const body = op.requestBody === undefined ? undefined : Object.entries(op.requestBody.content ?? {})[0];
  return (
    <details class="card" id={op.operationId ?? ""}>
      <summary>
        <span class={`method ${method}`}>{method.toUpperCase()}</span> <code>{path}</code> <span class="small">{op.summary}</span>
      </summary>
      {op.description && <p>{op.description}</p>}
      {op.security?.length === 0 && <p class="small">It wants no token.</p>}
      {op.parameters !== undefined && op.parameters.length > 0 && (
        <Table label={`Parameters of ${method} ${path}`} head={["Parameter", "In", "Type", "What it is"]} rows={op.parameters.map((p) => [<code key="n">{p.name}</code>, p.in + (p.required ? ", required" : ""), <TypeName key="t" schema={p.schema ?? {}} />, p.description ?? ""])} />
      )}
      {body !== undefined && (
        <p>
          Body: <TypeName schema={body[1].schema ?? {}} /> <span class="small">({body[0]})</span>
        </p>
      )}
      <Table label={`Answers of ${method} ${path}`} head={["Status", "Answer", "Type"]} rows={Object.entries(op.responses ?? {}).map(([status, r]) => [<code key="s">{status}</code>, r.description ?? "", <Answer key="a" body={r} />])} />
    </details>
  );
}

const Answer = ({ body }: { body: Body }) => (
  <>
    {Object.entries(body.content ?? {}).map(([media, { schema }]) => (
      <span key={media}>
        <TypeName schema={schema ?? {}} /> <span class="small">({media})</span>
      </span>
    ))}
  </>
);

function SchemaView({ name, schema }: { name: string; schema: Schema }) {
  const fields = Object.entries(schema.properties ?? {});
  return (
    <>
      {schema.description && <p>{schema.description}</p>}
      {schema.enum !== undefined && <p>{schema.enum.map((value, i) => <span key={i}>{i > 0 && ", "}<code>{JSON.stringify(value)}</code></span>)}</p>}
      {fields.length > 0 && <Table label={`Fields of ${name}`} head={["Field", "Type", "What it is"]} rows={fields.map(([field, of]) => [<span key="f"><code>{field}</code>{schema.required?.includes(field) && <span class="small"> required</span>}</span>, <TypeName key="t" schema={of} />, about(of)])} />}
    </>
  );
}

function about(s: Schema): string {
  const bounds = [s.minimum !== undefined ? `at least ${s.minimum}` : "", s.maximum !== undefined ? `at most ${s.maximum}` : ""].filter(Boolean).join(", ");
  return [s.description, bounds, s.enum?.map((value) => JSON.stringify(value)).join(", ")].filter(Boolean).join(". ");
}

function TypeName({ schema }: { schema: Schema }) {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1) ?? "";
    return <a href={`#type-${name}`}>{name}</a>;
  }
  if (schema.items !== undefined) return <>list of <TypeName schema={schema.items} /></>;
  if (typeof schema.additionalProperties === "object") return <>names to <TypeName schema={schema.additionalProperties} /></>;
  return <>{[schema.type].flat().join(" or ") || "anything"}</>;
}
