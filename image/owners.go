package image

// Owners says which ids of this process's user namespace stand for an image's: its id N
// is kept on the disk as First+N. Ids beyond Count, and all where Count is 0, are kept as
// the store's own. The layer's record has the true ones.
type Owners struct {
	First int64 `json:"first"`
	Count int64 `json:"count"`
}

// disk is the id that a file has on the disk.
func (o Owners) disk(id int) int {
	if o.Count == 0 || id < 0 || int64(id) >= o.Count {
		return 0
	}
	return int(o.First) + id
}

// Owners are the ids of the image's files.
func (h *Held) Owners() Owners { return h.owners }
