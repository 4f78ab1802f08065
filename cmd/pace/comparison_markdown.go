package main

import (
	"fmt"
	"strings"
)

// markdown returns the comparison as a section of a Markdown file (GitHub's tables).
func (c comparison) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", codeSpan("pace compare -- "+commandText(c.Command)))
	b.WriteString(c.speedTable().markdown() + "\n" + c.causeTable().markdown() + "\n" + c.Verdict.Text + "\n")
	for _, text := range c.Warnings {
		b.WriteString("\n> Warning: " + escapeMarkdown(text) + "\n")
	}
	fmt.Fprintf(&b, "\n%s of each row after %s; %s.\n", countOf(int64(c.Runs), "run"),
		countOf(int64(c.Warmup), "warm-up"), escapeMarkdown(c.Machine.text()))
	return b.String()
}

// markdown aligns as text does.
func (t table) markdown() string {
	var b strings.Builder
	for i, row := range t {
		for _, cell := range row {
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
		if i == 0 {
			b.WriteString("|---|" + strings.Repeat("---:|", len(row)-1) + "\n")
		}
	}
	return b.String()
}

// commandText writes a command so that it can be pasted into a shell.
func commandText(command []string) string {
	var words []string
	for _, word := range command {
		words = append(words, shellWord(word))
	}
	return strings.Join(words, " ")
}

// codeSpan quotes text with more backquotes than stand together in it (CommonMark 0.31, section 6.1).
func codeSpan(text string) string {
	text = escape(text) // a line's end would end the span's paragraph
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) == 1 {
		return fence + text + fence
	}
	return fence + " " + text + " " + fence
}

var markdownEscaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, "|", `\|`)

func escapeMarkdown(text string) string { return markdownEscaper.Replace(escape(text)) }
