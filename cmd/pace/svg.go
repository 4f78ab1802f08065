package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// px is a length in a picture's own unit, which is a CSS pixel where the picture is as wide as it was drawn.
type px float64

// String writes two digits behind the point at most: more than an eye can see, and half of the file.
func (p px) String() string {
	text := strconv.FormatFloat(float64(p), 'f', 2, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Pictures are drawn twice, for a wide and for a narrow screen: one that only shrinks has letters that nobody can read.
var canvases = []canvas{
	{name: "wide", width: 880, font: 14, gutter: 52},
	{name: "narrow", width: 328, font: 12, gutter: 40},
}

// canvas is what a picture is drawn on.
type canvas struct {
	name   string
	width  float64
	font   float64 // size of its text
	gutter float64 // room for the numbers of a vertical axis
}

// line is the room for a line of text.
func (c canvas) line() float64 { return c.font + 6 }

func (c canvas) narrow() bool { return c.name == "narrow" }

// textWidth guesses how wide a text is. System fonts differ; this is a little more than most of them take.
func (c canvas) textWidth(text string) float64 {
	return 0.6 * c.font * float64(utf8.RuneCountInString(text))
}

// mark is one element of a picture. The template writes it, and escapes what comes from outside.
type mark struct {
	Kind       string // rect, line, path, circle or text
	Class      string
	X, Y, W, H px // of a line, W and H lead to its other end; of a circle, W is the radius
	Path       string
	Text       string
	Anchor     string // of a text: start, middle or end
	Hint       string // shown where a pointer rests on it
}

// drawing is a picture that is being made, from the top down.
type drawing struct {
	canvas
	y     float64 // where the next part begins
	marks []mark
}

func (d *drawing) add(m mark) { d.marks = append(d.marks, m) }

func (d *drawing) rect(class string, x, y, w, h float64, hint string) {
	d.add(mark{Kind: "rect", Class: class, X: px(x), Y: px(y), W: px(w), H: px(h), Hint: hint})
}

func (d *drawing) rule(class string, x1, y1, x2, y2 float64) {
	d.add(mark{Kind: "line", Class: class, X: px(x1), Y: px(y1), W: px(x2), H: px(y2)})
}

func (d *drawing) dot(class string, x, y, radius float64, hint string) {
	d.add(mark{Kind: "circle", Class: class, X: px(x), Y: px(y), W: px(radius), Hint: hint})
}

func (d *drawing) path(class, path, hint string) {
	d.add(mark{Kind: "path", Class: class, Path: path, Hint: hint})
}

func (d *drawing) text(class, anchor string, x, y float64, text string) {
	d.add(mark{Kind: "text", Class: class, Anchor: anchor, X: px(x), Y: px(y), Text: text})
}

// heading writes a row's name with its colour before it, and a figure at the other end if there is room.
func (d *drawing) heading(r chartRow, figure string) {
	base := d.y + d.font
	d.rect("m "+r.class, 0, base-d.font*0.72, d.font*0.72, d.font*0.72, "")
	d.text("name", "start", d.font*1.1, base, d.nameOf(r))
	if d.fitsBeside(r, figure) {
		d.text("figure", "end", d.width, base, figure)
	}
	d.y += d.line()
}

func (d *drawing) nameOf(r chartRow) string {
	if d.narrow() {
		return r.short
	}
	return r.name
}

func (d *drawing) fitsBeside(r chartRow, figure string) bool {
	return d.font*1.1+d.textWidth(d.nameOf(r))+d.textWidth(figure)+d.font < d.width
}

// wording returns a figure for each row, in the longest of its wordings that has room in all of them.
func (d *drawing) wording(rows []chartRow, wordings [][]string) []string {
	level := 0
	for i, r := range rows {
		for level < len(wordings[i])-1 && !d.fitsBeside(r, wordings[i][level]) {
			level++
		}
	}
	var figures []string
	for _, words := range wordings {
		figures = append(figures, words[level])
	}
	return figures
}

// timeAxis draws what a time scale shows, behind all that lies between top and here.
func (d *drawing) timeAxis(s scale, top float64) {
	last := -d.width
	over := d.marks
	d.marks = nil
	defer func() { d.marks = append(d.marks, over...) }()
	for _, v := range s.ticks(d.fits(s)) {
		x := s.at(v)
		d.rule("grid", x, top, x, d.y)
		label := durationText(v)
		half := d.textWidth(label) / 2
		anchor, left := "middle", x-half
		switch {
		case left < 0:
			anchor, x, left = "start", 0, 0
		case x+half > d.width:
			anchor, x, left = "end", d.width, d.width-2*half
		}
		if left > last+4 {
			last = left + 2*half
			d.text("tick", anchor, x, d.y+d.font+2, label)
		}
	}
	d.y += d.line() + 4
}

// fits says how many labels have room on a horizontal scale.
func (d *drawing) fits(s scale) int { return max(int((s.to-s.from)/(5.5*d.font)), 2) }

// valueAxis draws the two ends of a vertical scale.
func (d *drawing) valueAxis(s scale, left float64, label func(float64) string) {
	for _, v := range s.ticks(2) {
		y := s.at(v)
		d.rule("grid", left, y, d.width, y)
		d.text("tick", "end", left-6, y+d.font*0.35, label(v))
	}
}

// picture is a finished drawing.
type picture struct {
	ID, Class     string
	Label, Detail string // the title and the description of those who cannot see it
	W, H          px
	Marks         []mark
}

// chart is a figure of the report: a heading, a picture for each canvas, and the data behind them.
type chart struct {
	ID       string
	Title    string
	Note     string // how to read it
	Legend   []legend
	Pictures []picture
	Tables   []dataTable
}

// legend says what a fill means.
type legend struct{ Class, Text string }

// newChart draws a chart. Its id is one of a kind in the file.
func newChart(id, title, note, detail string, draw func(*drawing)) chart {
	c := chart{ID: id, Title: title, Note: note}
	for _, on := range canvases {
		d := drawing{canvas: on}
		draw(&d)
		c.Pictures = append(c.Pictures, picture{
			ID: id + "-" + on.name, Class: on.name, Label: title, Detail: detail, W: px(on.width), H: px(d.y), Marks: d.marks,
		})
	}
	return c
}

// areaPath returns the outline of steps over a line at zero, each as wide as the others, up to the last that is above it.
func areaPath(values []float64, x, y scale) string {
	var b strings.Builder
	at := func(letter byte, x, y float64) { fmt.Fprintf(&b, "%c%v %v", letter, px(x), px(y)) }
	step := (x.max - x.min) / float64(max(len(values), 1))
	end := len(values)
	for end > 0 && values[end-1] == 0 {
		end--
	}
	at('M', x.at(x.min), y.at(0))
	for i, v := range values[:end] {
		at('L', x.at(x.min+float64(i)*step), y.at(v))
		at('L', x.at(x.min+float64(i+1)*step), y.at(v))
	}
	at('L', x.at(x.min+float64(end)*step), y.at(0))
	b.WriteByte('Z')
	return b.String()
}
