package image

// Workbench is a directory for whoever makes an image by other means. It goes with all
// that is in it: when it is closed, or, where its owner was killed, when a store is opened next.
type Workbench struct{ desk *desk }

// Workbench makes one.
func (s *Store) Workbench() (*Workbench, error) {
	b, err := s.desk()
	if err != nil {
		return nil, err
	}
	return &Workbench{b}, nil
}

// Dir is its name.
func (w *Workbench) Dir() string { return w.desk.store.dir + "/" + workDir + "/" + w.desk.name }

// Close removes it.
func (w *Workbench) Close() error { return w.desk.close() }

// Owners are the ids that files of the store's images have.
func (s *Store) Owners() Owners { return s.owners }
