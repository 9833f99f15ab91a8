package sandbox

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"cordon/rootfs"
	"cordon/sandbox/cell"
)

// ErrUnknownImage means that there is no image of this name.
var ErrUnknownImage = rootfs.ErrUnknownImage

// ImageRequest is what a job says of its image.
type ImageRequest struct {
	Name  string
	User  string // NAME or NUMBER, with :GROUP behind it; "": as the image has it
	Dir   string // where the run starts; "": as the image has it, or /work where files are placed
	Range bool

	Placed bool // files are, so that it starts in /work where nothing else is said
}

// UseImage gives a job its image, and what the job leaves out as the image has it. The
// job's command, files and build are there already.
func (j *Job) UseImage(images rootfs.Images, q ImageRequest) error {
	j.IDRange = q.Range
	if q.Name == "" {
		return q.withoutImage()
	}
	info, err := j.FindImage(images, q.Name)
	if err != nil {
		return err
	}
	if err := j.imageDir(&q, info.Dir); err != nil {
		return err
	}
	if info.Elsewhere { // who runs the job decides the rest
		if len(j.Command) == 0 {
			j.Command = []string{q.Name}
		}
		return nil
	}
	if len(j.Command) == 0 {
		j.Command = slices.Concat(info.Entrypoint, info.Cmd)
		if err := plainWords(j.Command); err != nil {
			return err
		}
	}
	if !q.Range {
		if q.User != "" {
			return &InvalidError{"user", "a job has one user id, and is user 1000; with id_range it may be any user of the image"}
		}
		return nil
	}
	held, err := images.Hold(info.ID)
	if err != nil {
		return &InvalidError{"image", err.Error()}
	}
	defer closeImage(held)
	root, err := held.Root()
	if err != nil {
		return &InvalidError{"image", err.Error()}
	}
	return j.imageUser(q.User, info.User, root)
}

// FindImage is the first part of that: before the tools are looked for that the rest needs.
func (j *Job) FindImage(images rootfs.Images, name string) (*rootfs.ImageInfo, error) {
	if images == nil {
		return nil, fmt.Errorf("%w: %q: this service has no images", ErrUnknownImage, name)
	}
	info, err := images.Find(name)
	if errors.Is(err, ErrUnknownImage) {
		return nil, err
	}
	if err != nil { // there, and damaged
		return nil, &InvalidError{"image", err.Error()}
	}
	j.Image = &JobImage{Image: info.Image}
	j.Image.Needed, j.Image.Asked = info.Asked, name
	for _, kv := range info.Env {
		if i := strings.IndexByte(kv, '='); i > 0 && !strings.ContainsRune(kv, 0) {
			j.Image.Env = append(j.Image.Env, kv)
		}
	}
	return info, nil
}

// mostDirs is more than any image has in PATH. A hostile one could have its tools looked for
// in tens of thousands.
const mostDirs = 64

// Path is where programs of the image's jobs are looked for: each directory once, and so many
// of them that looking comes to an end.
func (i *JobImage) Path() []string {
	dirs := Path
	for _, kv := range i.Env {
		if list, ok := strings.CutPrefix(kv, "PATH="); ok {
			dirs = list
		}
	}
	var out []string
	for dir := range strings.SplitSeq(dirs, ":") {
		if dir != "" && len(out) < mostDirs && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

func (q *ImageRequest) withoutImage() error {
	for field, text := range map[string]string{"user": q.User, "working_dir": q.Dir} {
		if text != "" {
			return &InvalidError{field, "given without image; name an image, or leave it out"}
		}
	}
	return nil
}

func plainWords(words []string) error {
	for _, w := range words {
		if strings.ContainsRune(w, 0) {
			return &InvalidError{"image", "the command of its configuration holds NUL, which no argument can; give command"}
		}
	}
	if len(words) > 0 && words[0] == "" {
		return &InvalidError{"image", "the command of its configuration is empty; give command"}
	}
	return nil
}

// imageDir says where the run starts. Files are placed in /work, and found by their names.
func (j *Job) imageDir(q *ImageRequest, configured string) error {
	dir, field := q.Dir, "working_dir"
	if dir == "" && !q.Placed {
		if dir, field = configured, "image"; dir != "" {
			dir = path.Join("/", dir)
		}
	}
	if dir == "" {
		return nil
	}
	if !path.IsAbs(dir) || len(dir) > maxPath || strings.ContainsRune(dir, 0) {
		return &InvalidError{field, fmt.Sprintf("%.80q: an absolute path of at most %d bytes without NUL is wanted as the working directory", dir, maxPath)}
	}
	j.Image.Dir = dir
	j.Image.Env = append(j.Image.Env, "PWD="+dir)
	return nil
}

// imageUser finds who the job is in its image: for one that may be anybody there.
func (j *Job) imageUser(asked, configured string, root *rootfs.Image) error {
	if root.IDs.Count == 0 { // it will be refused: this host has no users to give
		return nil
	}
	field, text := "user", asked
	if text == "" {
		field, text = "image", configured
	}
	user, group, hasGroup := strings.Cut(text, ":")
	if user == "" {
		user = "0"
	}
	who, err := lookUp(root.Passwd, user, "user")
	if err != nil {
		return &InvalidError{field, err.Error()}
	}
	id := cell.User{UID: who.id, GID: who.group}
	if hasGroup {
		g, err := lookUp(root.Group, group, "group")
		if err != nil {
			return &InvalidError{field, err.Error()}
		}
		id.GID = g.id
	}
	most := root.IDs.Count // where they are fewer than nobody's, the last stands for that
	if most <= nobody {
		most--
	}
	for _, n := range []uint32{id.UID, id.GID} {
		if int64(n) >= int64(most) && n != nobody {
			return &InvalidError{field, fmt.Sprintf("%q: id %d lies beyond the %d that this host has for users of images", text, n, most)}
		}
	}
	j.Image.User = &id
	j.Image.Env = append([]string{"HOME=" + who.home, "USER=" + who.name, "LOGNAME=" + who.name}, j.Image.Env...)
	return nil
}

// account is a line of /etc/passwd or /etc/group.
type account struct {
	name, home string
	id, group  uint32
}

// lookUp finds a name or a number. A number need not be there: it is its own group then.
func lookUp(text, wanted, what string) (*account, error) {
	if strings.ContainsAny(wanted, "\x00\n") || len(wanted) > 256 {
		return nil, fmt.Errorf("%s %.80q: a name or a number is wanted", what, wanted)
	}
	number, err := strconv.ParseUint(wanted, 10, 32)
	isNumber := err == nil
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) < 3 || strings.ContainsRune(line, 0) { // no variable could hold that
			continue
		}
		id, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil || !(f[0] == wanted && !isNumber || isNumber && id == number) {
			continue
		}
		a := &account{name: f[0], home: "/", id: uint32(id), group: uint32(id)}
		if len(f) > 5 {
			if g, err := strconv.ParseUint(f[3], 10, 32); err == nil {
				a.group = uint32(g)
			}
			if path.IsAbs(f[5]) {
				a.home = f[5]
			}
		}
		return a, nil
	}
	if !isNumber {
		return nil, fmt.Errorf("%s %.80q: the image has none of this name; give its number", what, wanted)
	}
	a := &account{name: wanted, home: "/", id: uint32(number), group: 0}
	if number == 0 {
		a.name, a.home = "root", "/root"
	}
	return a, nil
}
