package image

func importing(string) error { return nil }
func fullDisk(string) error  { return nil }
