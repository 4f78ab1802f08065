package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"
)

// kind is what one sort of flag value looks like.
type kind[T any] struct {
	usage string // how to write one: "use for example 64KiB"
	words []string
	parse func(string) (T, error)
	hide  func(string) string // leaves out of a value what is secret; nil for nothing
}

// value is a flag of some kind. It implements cli.Generic.
type value[T any] struct {
	kind[T]
	put  func(T)
	text string // the default as a user would write it, then what was set
	sets []string
}

func (v *value[T]) String() string    { return v.text }
func (v *value[T]) hint() string      { return v.usage }
func (v *value[T]) choices() []string { return v.words }
func (v *value[T]) given() []string   { return v.sets }

// public returns text as messages may have it.
func (v *value[T]) public(text string) string {
	if v.hide == nil {
		return text
	}
	return v.hide(text)
}

func (v *value[T]) Set(s string) error {
	parsed, err := v.parse(s)
	if err != nil {
		return fmt.Errorf("%w; %s", err, v.usage)
	}
	v.put(parsed)
	v.text = s
	v.sets = append(v.sets, s)
	return nil
}

// into returns a value that fills dst, and fills it with its default now. An empty text leaves dst as it is.
func into[T any](dst *T, k kind[T], text string) cli.Generic {
	v := &value[T]{kind: k, put: func(parsed T) { *dst = parsed }}
	if text != "" {
		if err := v.Set(text); err != nil {
			panic(err) // a default that users could not write
		}
		v.sets = nil
	}
	return v
}

// each returns a value for a flag that may be repeated.
func each[T any](dst *[]T, k kind[T]) cli.Generic {
	return &value[T]{kind: k, put: func(parsed T) { *dst = append(*dst, parsed) }}
}

// choice is a kind with a fixed set of words, in the order in which to show them.
func choice[T any](what string, words []string, values []T) kind[T] {
	return kind[T]{
		usage: "use " + orList(words),
		words: words,
		parse: func(s string) (T, error) {
			if i := slices.Index(words, strings.ToLower(s)); i >= 0 {
				return values[i], nil
			}
			var none T
			return none, fmt.Errorf("not a %s", what)
		},
	}
}

var (
	textKind     = kind[string]{usage: "it is empty", parse: parseText}
	sizeKind     = kind[int64]{usage: "use for example 64KiB", parse: parseSize}
	byteRateKind = kind[float64]{usage: "use for example 50MiB/s", parse: parseByteRate}
	rateKind     = kind[float64]{usage: "use for example 2/s or 30/m", parse: parseCountRate}
	durationKind = kind[time.Duration]{usage: "use for example 30s", parse: parseDuration}
)

// countKind is a whole number from least to most.
func countKind(least, most int, example string) kind[int] {
	return kind[int]{usage: "use for example " + example, parse: func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		switch {
		case errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(s, "-"), err == nil && n > most:
			return 0, fmt.Errorf("more than %d", most)
		case err == nil && n < least, errors.Is(err, strconv.ErrRange):
			return 0, atLeast(least)
		case err != nil:
			return 0, errors.New("not a whole number")
		}
		return n, nil
	}}
}

func parseText(s string) (string, error) {
	if s == "" {
		return "", errors.New("no value")
	}
	return s, nil
}

// parseSize reads 4096, 64KiB, 1.5GiB (powers of 1024) or 2GB (powers of 1000), in bytes.
func parseSize(s string) (int64, error) {
	if strings.HasPrefix(strings.TrimSpace(s), "-") {
		return 0, errNotNegative
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || strings.Contains(s, ",") {
		return 0, errors.New("not a size")
	}
	if n > math.MaxInt64 {
		return 0, errors.New("more than 8EiB")
	}
	return int64(n), nil
}

// parseByteRate reads a size a unit of time; without the unit it is a second. The result is bytes a second.
func parseByteRate(s string) (float64, error) {
	amount, seconds, ok := cutPer(s)
	n, err := parseSize(amount)
	if errors.Is(err, errNotNegative) {
		return 0, err
	}
	if err != nil || !ok {
		return 0, errors.New("not a rate")
	}
	return float64(n) / seconds, nil
}

// parseCountRate reads a number a unit of time; without the unit it is a second. The result is operations a second.
func parseCountRate(s string) (float64, error) {
	amount, seconds, ok := cutPer(s)
	if strings.HasPrefix(amount, "-") {
		return 0, errNotNegative
	}
	n, err := strconv.ParseFloat(amount, 64)
	// ParseFloat knows more spellings than a rate has: NaN, Inf, 0x1p4, 1e9.
	if err != nil || !ok || strings.Trim(amount, "0123456789.") != "" {
		return 0, errors.New("not a rate")
	}
	return n / seconds, nil
}

// cutPer splits 30/m into the amount and the seconds of its unit.
func cutPer(s string) (amount string, seconds float64, ok bool) {
	amount, unit, given := strings.Cut(s, "/")
	if !given {
		return amount, 1, true
	}
	seconds, ok = map[string]float64{"s": 1, "m": 60, "min": 60, "h": 3600}[unit]
	return amount, seconds, ok
}

// parseDuration reads a duration as Go writes it: 300ms, 1m30s.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, errors.New("not a duration")
	case d < 0:
		return 0, errNotNegative
	}
	return d, nil
}
