package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
	"unicode/utf8"

	"pace/limiter"
	"pace/limiter/progress"
)

// traceHeader is the first line of a trace.
type traceHeader struct {
	Version    string       `json:"pace_version"`
	Tool       string       `json:"tool"`
	Mode       limiter.Mode `json:"mode"`
	Backend    string       `json:"backend"`
	Workers    int          `json:"workers"`
	Started    string       `json:"started"` // RFC 3339; what the seconds of the other lines count from
	Operations int64        `json:"operations"`
	LeftOut    int64        `json:"operations_left_out"` // those that have no line: all after the first to end
}

// tracedOperation is a line of a trace. Those of one file are in the order of their start.
type tracedOperation struct {
	Start  float64 `json:"start_seconds"`
	End    float64 `json:"end_seconds"`
	Worker *int    `json:"worker,omitempty"` // nil where the main program did it
	Thread int     `json:"thread,omitempty"` // of the operating system; 0 where the worker has none to itself
	Kind   string  `json:"kind"`
	Item   string  `json:"item"`
	Offset int64   `json:"offset,omitempty"`
	Bytes  int64   `json:"bytes"`
	Error  string  `json:"error,omitempty"`
}

// tracedSeries is the last line of a trace: all operations, those without a line too.
type tracedSeries struct {
	Step       float64   `json:"step_seconds"`
	End        float64   `json:"end_seconds"`
	InFlight   []float64 `json:"in_flight"`
	Bytes      []float64 `json:"bytes_per_second"`
	Operations []float64 `json:"operations_per_second"`
}

// traceFile is a trace as it is read back.
type traceFile struct {
	traceHeader
	operations []tracedOperation // the first
	took       []float64         // seconds of all
	series     tracedSeries
}

// traceKind is a file. The records of a crawl and the file that a copy writes may go to stdout, a trace may not.
var traceKind = kind[string]{usage: "name a file", parse: func(s string) (string, error) {
	if s == "-" {
		return "", errors.New("a trace does not go to stdout")
	}
	return parseText(s)
}}

func writeTrace(path string, t *progress.Trace, r report) error {
	err := writeFile(path, func(w io.Writer) error { return traceTo(w, t, r) })
	if err != nil {
		return fmt.Errorf("cannot write the trace: %w", err)
	}
	return nil
}

// tracePiece is how many bytes of a trace are written at once: new memory for all of it would take longer than its text.
const tracePiece = 64 << 10

// traceTo writes a trace as its file has it.
func traceTo(w io.Writer, t *progress.Trace, r report) error {
	all, leftOut := t.Operations()
	text, err := json.Marshal(traceHeader{
		Version: version(), Tool: r.Tool, Mode: r.Mode, Backend: r.Backend, Workers: r.Workers,
		Started: t.Zero().Format(time.RFC3339Nano), Operations: all, LeftOut: leftOut,
	})
	if err != nil {
		return err
	}
	text = append(text, '\n')
	for _, r := range t.Records() {
		if text = appendOperation(text, r); len(text) >= tracePiece {
			if _, err := w.Write(text); err != nil {
				return err
			}
			text = text[:0]
		}
	}
	s := t.Series()
	text = appendSeconds(append(text, `{"series":{"step_seconds":`...), s.Step)
	text = appendSeconds(append(text, `,"end_seconds":`...), s.End)
	text = appendValues(append(text, `,"in_flight":`...), s.InFlight)
	text = appendValues(append(text, `,"bytes_per_second":`...), s.BytesPerSecond)
	text = appendValues(append(text, `,"operations_per_second":`...), s.OperationsPerSecond)
	_, err = w.Write(append(text, "}}\n"...))
	return err
}

// appendValues writes five digits of each value: more is noise.
func appendValues(b []byte, values []float64) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, v, 'g', 5, 64)
	}
	return append(b, ']')
}

// appendOperation writes a line. The json package would take longer for it than the operation that it is about.
func appendOperation(b []byte, o *progress.Record) []byte {
	b = appendSeconds(append(b, `{"start_seconds":`...), o.Start)
	b = appendSeconds(append(b, `,"end_seconds":`...), o.End)
	if o.Worker >= 0 {
		b = strconv.AppendInt(append(b, `,"worker":`...), int64(o.Worker), 10)
	}
	if o.Thread != 0 {
		b = strconv.AppendInt(append(b, `,"thread":`...), int64(o.Thread), 10)
	}
	b = appendJSONText(append(b, `,"kind":`...), o.Kind)
	b = appendJSONText(append(b, `,"item":`...), o.Item)
	if o.Offset != 0 {
		b = strconv.AppendInt(append(b, `,"offset":`...), o.Offset, 10)
	}
	b = strconv.AppendInt(append(b, `,"bytes":`...), o.Bytes, 10)
	if o.Error != "" {
		b = appendJSONText(append(b, `,"error":`...), o.Error)
	}
	return append(b, '}', '\n')
}

// appendSeconds writes d in seconds with six digits after the point.
func appendSeconds(b []byte, d time.Duration) []byte {
	us := d.Microseconds()
	b = strconv.AppendInt(b, us/1e6, 10)
	digits := len(b)
	b = strconv.AppendInt(b, 1e6+us%1e6, 10) // the 1 in front keeps the zeros, and gives its place to the point
	b[digits] = '.'
	return b
}

func appendJSONText(b []byte, s string) []byte {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return append(append(append(b, '"'), s...), '"')
	}
	quoted, _ := json.Marshal(s) // a string always can be
	return append(b, quoted...)
}

// readTrace reads what traceTo has written. It keeps so many of the operations.
func readTrace(path string, keep int) (traceFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return traceFile{}, err
	}
	defer func() { _ = f.Close() }()
	t, err := parseTrace(f, keep)
	if err != nil {
		return t, fmt.Errorf("%s is no trace: %w", path, err)
	}
	return t, nil
}

func parseTrace(r io.Reader, keep int) (t traceFile, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		return t, io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(lines.Bytes(), &t.traceHeader); err != nil {
		return t, err
	}
	for lines.Scan() {
		if bytes.HasPrefix(lines.Bytes(), []byte(`{"series":`)) {
			last := struct{ Series *tracedSeries }{&t.series}
			return t, json.Unmarshal(lines.Bytes(), &last)
		}
		var o tracedOperation
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return t, err
		}
		t.took = append(t.took, o.End-o.Start)
		if len(t.operations) < keep {
			t.operations = append(t.operations, o)
		}
	}
	if lines.Err() != nil {
		return t, lines.Err()
	}
	return t, io.ErrUnexpectedEOF // it has no series
}
