package crawl

import (
	"bytes"
	"encoding/csv"
	"fmt"
)

// graph is an output: all links as CSV (RFC 4180), a row each, in the order in which their pages came.
type graph struct{ file *outputFile }

var graphHeader = []string{"source", "target", "kind", "text"}

// openGraph opens the file of --graph.
func openGraph(o *Options, resume []mark) (output, error) {
	file, err := openOutputFile(o.Graph, resume)
	if err != nil {
		return nil, graphError(err)
	}
	g := &graph{file: file}
	if file.size == 0 {
		err = file.add(csvRows([][]string{graphHeader}))
	}
	if err != nil {
		_ = file.Close()
		return nil, graphError(err)
	}
	return g, nil
}

func graphError(err error) error { return fmt.Errorf("cannot write the graph: %w", err) }

func (g *graph) render(p *closing) (func() error, error) {
	rows := graphRows(p)
	if len(rows) == 0 {
		return nil, nil
	}
	text := csvRows(rows)
	return func() error {
		if err := g.file.add(text); err != nil {
			return graphError(err)
		}
		return nil
	}, nil
}

// graphRows returns the edges that an exchange shows: the links of a page, or a redirect.
func graphRows(p *closing) [][]string {
	if !p.item.isPage() || p.response == nil {
		return nil
	}
	source := p.item.url.String()
	if p.to != (URL{}) {
		return [][]string{{source, p.to.String(), "redirect", ""}}
	}
	if p.page == nil {
		return nil
	}
	rows := make([][]string, 0, len(p.targets))
	for i, to := range p.targets {
		if link := p.page.Links[i]; to != (URL{}) {
			rows = append(rows, []string{source, to.String(), link.Kind.String(), link.Text})
		}
	}
	return rows
}

// csvRows writes rows with CRLF, as the RFC has them.
func csvRows(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	_ = w.WriteAll(rows) // a bytes.Buffer takes all
	return b.Bytes()
}

func (g *graph) marks() []mark    { return []mark{g.file.mark()} }
func (g *graph) sync() error      { return g.file.Sync() }
func (g *graph) close(bool) error { return g.file.Close() }

var kindTexts = [...]string{
	KindAnchor: "a", KindArea: "area", KindCanonical: "canonical", KindNext: "next", KindPrev: "prev", KindFrame: "frame",
	KindRefresh: "refresh", KindImage: "image", KindStyle: "style", KindScript: "script", KindMedia: "media", KindAsset: "asset",
}

// String returns the kind as --graph writes it.
func (k LinkKind) String() string { return kindTexts[k] }
