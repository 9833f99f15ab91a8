import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { active, change, draft, replaced, type SourceFile } from "./draft.js";
import { Icon } from "./icons.js";
import type { Editor } from "./codemirror.js";
import { language } from "./playground.js";
import { Tabs } from "./tabs.js";

/** The program's files, each a tab. */
export function Files() {
  const { files } = draft.value;
  const at = Math.min(active.value, files.length - 1);
  const set = (next: SourceFile[]) => change({ files: next });
  const add = () => {
    const ending = /\.\w+$/.exec(files[0]?.name ?? "")?.[0] ?? ".txt";
    let name = "part" + ending;
    for (let n = 2; files.some((f) => f.name === name); n++) name = `part${n}${ending}`;
    set([...files, { name, text: "" }]);
    active.value = files.length;
  };
  const file = files[at];
  return (
    <div class="files">
      <div class="bar">
        <Tabs label="Files" panel="editor" tabs={files.map((f, i) => ({ id: String(i), name: f.name }))} at={String(at)} choose={(id) => void (active.value = Number(id))} />
        <button type="button" class="icon" onClick={add} aria-label="Add a file" title="Add a file">
          <Icon name="plus" />
        </button>
        <span class="gap" />
        {at > 0 && file !== undefined && <FileActions key={at} file={file} rename={(name) => set(files.map((f, i) => (i === at ? { ...f, name } : f)))} remove={() => { set(files.filter((_, i) => i !== at)); active.value = at - 1; }} taken={files.filter((_, i) => i !== at).map((f) => f.name)} />}
      </div>
      <div id="panel-editor" role="tabpanel" aria-labelledby={`tab-editor-${at}`} class="editor-panel">
        <EditorView at={at} />
      </div>
    </div>
  );
}

function FileActions({ file, rename, remove, taken }: { file: SourceFile; rename: (name: string) => void; remove: () => void; taken: string[] }) {
  const [name, setName] = useState(file.name);
  const good = name !== "" && !name.startsWith("/") && !name.split("/").includes("..") && !taken.includes(name);
  return (
    <>
      <label>
        <span class="unseen">Name of this file</span>
        <input class="file-name" value={name} aria-invalid={!good} spellcheck={false} onInput={(e) => setName(e.currentTarget.value)} onBlur={() => (good ? rename(name) : setName(file.name))} onKeyDown={(e) => e.key === "Enter" && e.currentTarget.blur()} />
      </label>
      <button type="button" class="icon" onClick={remove} aria-label={`Remove ${file.name}`} title={`Remove ${file.name}`}>
        <Icon name="close" />
      </button>
    </>
  );
}

/** The editor comes after the page: what is around it is there at once. */
function EditorView({ at }: { at: number }) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const [there, setThere] = useState(false);
  const index = useRef(at);
  index.current = at;
  useEffect(() => {
    let gone = false;
    void import("./codemirror.js").then(({ Editor }) => {
      if (gone || host.current === null) return;
      const changed = (text: string) => change({ files: draft.value.files.map((f, i) => (i === index.current ? { ...f, text } : f)) });
      editor.current = new Editor(host.current, { changed });
      setThere(true);
    });
    return () => {
      gone = true;
      editor.current?.destroy();
      editor.current = null;
    };
  }, []);
  const name = draft.value.files[at]?.name ?? language()?.source_file ?? "main";
  useLayoutEffect(() => { // before anybody can type: what is typed goes to the file that is shown
    if (there) void editor.current?.show(name, draft.value.files[at]?.text ?? "");
  }, [there, at, name, replaced.value]);
  return <div class="editor-host" ref={host} />;
}
