package recipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cordon/image"
	"cordon/sandbox"
)

// npmScript installs what was brought, with the npm that came with it, and shows it where
// every module below / finds it. What packages run while they are installed, they run here.
// npm itself cannot be at work in /.
const npmScript = `set -e
export HOME=/root npm_config_update_notifier=false npm_config_cache=/work/npm/cache npm_config_audit=false npm_config_fund=false npm_config_offline=true
at=/usr/local/lib/npm
if [ -e /node_modules ] || [ -e $at ]; then echo "the image has /node_modules or $at already" >&2; exit 1; fi
mkdir -p $at /work/npm/tool
node /work/npm/unpack.js /work/npm/npm.tgz /work/npm/tool
cp /work/npm/project/package.json /work/npm/project/package-lock.json $at
cd $at
chmod 644 package.json package-lock.json
node /work/npm/tool/package/bin/npm-cli.js ci
ln -s usr/local/lib/npm/node_modules /node_modules
mkdir -p /usr/local/bin
for f in $at/node_modules/.bin/*; do
	if [ -e "$f" ]; then ln -sf "$f" "/usr/local/bin/${f##*/}"; fi
done
`

// npmUnpack unpacks an archive of npm's, for which an image need not have tar: plain files
// of short or prefixed names, or with a record of a long one.
const npmUnpack = `const fs = require('fs'), path = require('path'), zlib = require('zlib');
const [, , from, to] = process.argv;
const all = zlib.gunzipSync(fs.readFileSync(from));
const text = (at, n) => { const s = all.subarray(at, at + n).toString(); const end = s.indexOf('\0'); return end < 0 ? s : s.slice(0, end); };
let long = '';
for (let at = 0; at + 512 <= all.length && all[at];) {
  const size = parseInt(text(at + 124, 12).trim() || '0', 8), kind = String.fromCharCode(all[at + 156]);
  const prefix = text(at + 345, 155), short = text(at, 100), body = all.subarray(at + 512, at + 512 + size);
  at += 512 + Math.ceil(size / 512) * 512;
  if (kind === 'x') { const m = /\d+ path=(.*)\n/.exec(body.toString()); long = m ? m[1] : ''; continue; }
  if (kind === 'L') { long = body.toString().replace(/\0.*$/s, ''); continue; }
  const name = long || (prefix ? prefix + '/' + short : short);
  long = '';
  if (kind !== '0' && kind !== '\0') continue;
  const out = path.join(to, path.normalize('/' + name));
  fs.mkdirSync(path.dirname(out), { recursive: true });
  fs.writeFileSync(out, body);
}
`

// npmItself is brought along, in a version that any Node that is still cared for can run.
const npmItself = "npm@10"

// bringNPM has this machine's npm find out which packages are wanted, and bring their
// archives into a cache. It unpacks none, and runs nothing of them.
func (b *work) bringNPM(ctx context.Context, h *image.Held, words []string, dir string) ([]sandbox.File, error) {
	if _, err := b.probe(ctx, h, "packages.npm", "node", "--version"); err != nil {
		return nil, err
	}
	b.tell("npm: looking for packages")
	project, cache := filepath.Join(dir, "project"), filepath.Join(dir, "cache")
	if err := errors.Join(os.Mkdir(project, 0o700), os.WriteFile(filepath.Join(project, "package.json"), []byte("{\"private\": true}\n"), 0o600)); err != nil {
		return nil, err
	}
	// Of what comes out of git npm would run what is in it.
	env := []string{"npm_config_git=/bin/false", "npm_config_allow_git=none", "npm_config_cache=" + cache, "npm_config_ignore_scripts=true", "npm_config_audit=false", "npm_config_fund=false", "npm_config_update_notifier=false", "npm_config_omit_lockfile_registry_resolved=false"}
	if err := tool(ctx, project, env, "npm", append([]string{"install", "--package-lock-only", "--ignore-scripts", "--"}, words...)...); err != nil {
		return nil, fmt.Errorf("packages.npm: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(project, "package-lock.json"))
	if err != nil {
		return nil, err
	}
	from, err := readLock(text)
	if err != nil {
		return nil, fmt.Errorf("packages.npm: %w", err)
	}
	b.tell(fmt.Sprintf("npm: bringing %d packages", len(from)))
	for some := range slices.Chunk(from, 100) {
		if err := tool(ctx, project, env, "npm", append([]string{"cache", "add", "--"}, some...)...); err != nil {
			return nil, fmt.Errorf("packages.npm: %w", err)
		}
	}
	if err := tool(ctx, dir, env, "npm", "pack", "--ignore-scripts", "--silent", "--", npmItself); err != nil {
		return nil, fmt.Errorf("packages.npm: %w", err)
	}
	own, err := filepath.Glob(filepath.Join(dir, "npm-*.tgz"))
	if err != nil || len(own) != 1 {
		return nil, fmt.Errorf("packages.npm: npm pack %s left %q: %w", npmItself, own, err)
	}
	if err := errors.Join(os.Rename(own[0], filepath.Join(dir, "npm.tgz")), os.WriteFile(filepath.Join(dir, "unpack.js"), []byte(npmUnpack), 0o600), os.RemoveAll(filepath.Join(cache, "_logs"))); err != nil {
		return nil, err
	}
	return brought(dir, "npm")
}

// readLock gives the addresses of all packages. Each has to come from a registry and to be
// known by its digest, which npm checks when it installs it.
func readLock(text []byte) ([]string, error) {
	var lock struct {
		Packages map[string]struct {
			Resolved, Integrity string
			Link                bool
		} `json:"packages"`
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("package-lock.json: %w", err)
	}
	var out []string
	for name, p := range lock.Packages {
		if name == "" {
			continue
		}
		u, err := url.Parse(p.Resolved)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || p.Integrity == "" || p.Link || strings.HasPrefix(p.Resolved, "-") {
			return nil, fmt.Errorf("%q comes from %q, which is no archive of a registry with a digest", name, p.Resolved)
		}
		out = append(out, p.Resolved)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}
