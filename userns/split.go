package userns

// imageIDs is how many ids files of images have where there is room for all of them.
const imageIDs = 65536

// leastForImages: with fewer ids than this the cells have them all.
const leastForImages = 4096

// ForCells is how many of the mapped ids above 0 go to cells: 1 and those that follow.
func ForCells(mapped int) int {
	switch {
	case mapped >= 2*imageIDs:
		return mapped - imageIDs
	case mapped >= leastForImages:
		return mapped / 2
	}
	return mapped
}

// ForImages are the ids of files of images: none is ever a cell's, so that no job owns
// what another reads. An image's id N is first+N; from count on there is none.
func ForImages(mapped int) (first, count int) {
	cells := ForCells(mapped)
	if cells == mapped {
		return 0, 0
	}
	return cells + 1, min(mapped-cells, imageIDs)
}
