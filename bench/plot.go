package bench

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// The picture of a curve, in pixels.
const (
	plotWidth, plotHeight = 720, 400
	plotLeft, plotRight   = 76, 24
	plotTop, plotBottom   = 52, 60
	plotInk, plotGrid     = "#1f2328", "#e3e6ea"
	plotLine, plotBand    = "#0b62c4", "#0b62c4"
	plotFont              = "font-family=\"Helvetica, Arial, sans-serif\""
	mostTicks             = 6
)

// Plot draws every curve of the report into a directory, each as ID.svg.
func (r *Report) Plot(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range r.Curves {
		if err := os.WriteFile(filepath.Join(dir, c.ID+".svg"), []byte(c.svg()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// axis maps values to pixels.
type axis struct {
	from, to    float64 // values
	start, end  float64 // pixels
	logarithmic bool
	ticks       []float64
}

func (a axis) at(v float64) float64 {
	from, to := a.from, a.to
	if a.logarithmic {
		from, to, v = math.Log10(from), math.Log10(to), math.Log10(v)
	}
	return a.start + (v-from)/(to-from)*(a.end-a.start)
}

// plain axis from zero, with round steps.
func plain(most, start, end float64) axis {
	step := math.Pow(10, math.Floor(math.Log10(most/2)))
	for _, times := range []float64{1, 2, 5, 10} {
		if most/(step*times) <= mostTicks {
			step *= times
			break
		}
	}
	a := axis{to: math.Ceil(most/step) * step, start: start, end: end}
	for i := 0; float64(i)*step <= a.to*1.0001; i++ {
		a.ticks = append(a.ticks, float64(i)*step)
	}
	return a
}

// logarithmic axis over whole decades.
func logarithmic(least, most, start, end float64) axis {
	low, high := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most)-1e-9)
	if high <= low {
		high = low + 1
	}
	a := axis{from: math.Pow(10, low), to: math.Pow(10, high), start: start, end: end, logarithmic: true}
	for e := low; e <= high; e += math.Ceil((high - low) / mostTicks) {
		a.ticks = append(a.ticks, math.Pow(10, e))
	}
	return a
}

// axes of a curve: costs from zero, unless they and what they depend on both grow
// over decades.
func (c *Curve) axes() (x, y axis) {
	leastX, mostX, leastY, mostY := math.Inf(1), 0.0, math.Inf(1), 0.0
	for _, p := range c.Points {
		leastX, mostX = min(leastX, p.X), max(mostX, p.X)
		leastY, mostY = min(leastY, p.Y.Min), max(mostY, p.Y.Max)
	}
	x = plain(mostX, plotLeft, plotWidth-plotRight)
	if !c.Linear {
		x = logarithmic(leastX, mostX, plotLeft, plotWidth-plotRight)
	}
	y = plain(mostY, plotHeight-plotBottom, plotTop)
	if !c.Linear && mostY > 20*leastY {
		y = logarithmic(leastY, mostY, plotHeight-plotBottom, plotTop)
	}
	return x, y
}

// svg is the curve with the band from its lower to its upper values.
func (c *Curve) svg() string {
	var b strings.Builder
	x, y := c.axes()
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", html.EscapeString(c.Title))
	words := func(left, top float64, anchor string, size int, more, text string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%d" fill="%s" %s %s>%s</text>`+"\n",
			left, top, anchor, size, plotInk, plotFont, more, html.EscapeString(text))
	}
	line := func(x1, y1, x2, y2 float64, color string) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
	}
	words(plotLeft, 28, "start", 16, `font-weight="bold"`, c.Title)
	words(plotWidth-plotRight, plotHeight-16, "end", 12, "", c.legend())
	for _, t := range x.ticks {
		line(x.at(t), plotTop, x.at(t), plotHeight-plotBottom, plotGrid)
		words(x.at(t), plotHeight-plotBottom+18, "middle", 12, "", short(t))
	}
	for _, t := range y.ticks {
		line(plotLeft, y.at(t), plotWidth-plotRight, y.at(t), plotGrid)
		words(plotLeft-8, y.at(t)+4, "end", 12, "", short(t))
	}
	line(plotLeft, plotHeight-plotBottom, plotWidth-plotRight, plotHeight-plotBottom, plotInk)
	line(plotLeft, plotTop, plotLeft, plotHeight-plotBottom, plotInk)
	words((plotLeft+plotWidth-plotRight)/2, plotHeight-16, "middle", 13, "", c.X)
	words(0, 0, "middle", 13, fmt.Sprintf(`transform="translate(20 %d) rotate(-90)"`, (plotTop+plotHeight-plotBottom)/2), c.Y)
	c.draw(&b, x, y)
	b.WriteString("</svg>\n")
	return b.String()
}

// legend says what the band is, where there is one.
func (c *Curve) legend() string {
	for _, p := range c.Points {
		if p.Y.Min != p.Y.Max {
			return "median, lower to upper quarter"
		}
	}
	return ""
}

// draw the band, the line and its points.
func (c *Curve) draw(b *strings.Builder, x, y axis) {
	var up, down, middle []string
	at := func(v, height float64) string { return fmt.Sprintf("%.1f,%.1f", x.at(v), y.at(height)) }
	for i, p := range c.Points {
		up = append(up, at(p.X, p.Y.Max))
		middle = append(middle, at(p.X, p.Y.Median))
		last := c.Points[len(c.Points)-1-i]
		down = append(down, at(last.X, last.Y.Min))
	}
	fmt.Fprintf(b, `<polygon points="%s %s" fill="%s" fill-opacity="0.15"/>`+"\n", strings.Join(up, " "), strings.Join(down, " "), plotBand)
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(middle, " "), plotLine)
	for _, p := range c.Points {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"><title>%s: %.3g</title></circle>`+"\n", x.at(p.X), y.at(p.Y.Median), plotLine, short(p.X), p.Y.Median)
	}
}

// short writes a number for an axis.
func short(v float64) string {
	switch {
	case v >= 1e6 && math.Mod(v, 1e5) == 0:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e4 && math.Mod(v, 100) == 0:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}
