// Package recipe makes images of small files that say what is to be in them: an image to
// begin with, packages, and steps.
//
// Packages are brought by the operator's own tools, which check what they bring and run
// nothing of it, and are installed in a cell, which has no network. What the cell has
// changed of its root becomes a layer. So no program of a package ever runs outside of a
// cell, and none in a cell ever has a network.
package recipe
