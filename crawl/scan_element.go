package crawl

// element is a tag's name, of those that matter to the scanner.
type element uint8

const (
	elOther element = iota
	elA
	elArea
	elBase
	elLink
	elMeta
	elIframe
	elFrame
	elTitle
	elTemplate
	elScript
	elPlaintext
	elStyle
	elXMP
	elNoembed
	elNoframes
	elTextarea
	elImg
	elSource
	elVideo
	elMedia // audio, track, embed
	elObject
	elInput
)

// rawEnds is how the end tags of elements start whose content is no markup. noscript is not among them: it is markup
// where there are no scripts.
var rawEnds = [elInput + 1]string{
	elStyle: "</style", elXMP: "</xmp", elIframe: "</iframe", elNoembed: "</noembed", elNoframes: "</noframes",
	elTextarea: "</textarea",
}

// elementOf returns the element of a tag's name in any case.
func elementOf(name []byte) element {
	var lower [len("plaintext")]byte
	if len(name) > len(lower) {
		return elOther
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	switch string(lower[:len(name)]) {
	case "a":
		return elA
	case "area":
		return elArea
	case "base":
		return elBase
	case "link":
		return elLink
	case "meta":
		return elMeta
	case "iframe":
		return elIframe
	case "frame":
		return elFrame
	case "title":
		return elTitle
	case "template":
		return elTemplate
	case "script":
		return elScript
	case "plaintext":
		return elPlaintext
	case "style":
		return elStyle
	case "xmp":
		return elXMP
	case "noembed":
		return elNoembed
	case "noframes":
		return elNoframes
	case "textarea":
		return elTextarea
	case "img", "image":
		return elImg
	case "source":
		return elSource
	case "video":
		return elVideo
	case "audio", "track", "embed":
		return elMedia
	case "object":
		return elObject
	case "input":
		return elInput
	}
	return elOther
}
