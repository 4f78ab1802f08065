package cookies

import (
	"strconv"
	"strings"
	"time"
)

var months = map[string]time.Month{
	"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}

// parseDate reads the date of a cookie, of which servers write many kinds: whatever stands between a time, a day, a month
// and a year, in that order of preference, is of no matter (RFC 6265, section 5.1.1).
func parseDate(s string) (time.Time, bool) {
	var clock [3]int
	var month time.Month
	day, year := 0, -1
	hasClock := false
	for token := range strings.FieldsFuncSeq(s, isDelimiter) {
		if !hasClock {
			if clock, hasClock = parseClock(token); hasClock {
				continue
			}
		}
		if n, ok := leadingDigits(token, 1, 2); ok && day == 0 {
			day = n
			if day == 0 {
				return time.Time{}, false
			}
			continue
		}
		if month == 0 && len(token) >= 3 {
			if month = months[strings.ToLower(token[:3])]; month != 0 {
				continue
			}
		}
		if n, ok := leadingDigits(token, 2, 4); ok && year < 0 {
			year = n
		}
	}
	switch {
	case year >= 70 && year <= 99:
		year += 1900
	case year >= 0 && year <= 69:
		year += 2000
	}
	at := time.Date(year, month, day, clock[0], clock[1], clock[2], 0, time.UTC)
	valid := hasClock && month != 0 && day != 0 && year >= 1601 &&
		clock[0] <= 23 && clock[1] <= 59 && clock[2] <= 59 && at.Day() == day
	return at, valid
}

// isDelimiter says what parts a date's tokens.
func isDelimiter(r rune) bool {
	return r == '\t' || ' ' <= r && r <= '/' || ';' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
}

// parseClock reads hh:mm:ss, where text that is no digit may follow.
func parseClock(token string) (clock [3]int, ok bool) {
	parts := strings.SplitN(token, ":", 3)
	if len(parts) < 3 {
		return clock, false
	}
	for i, part := range parts {
		if i < 2 && strings.Trim(part, "0123456789") != "" {
			return clock, false
		}
		if clock[i], ok = leadingDigits(part, 1, 2); !ok {
			return clock, false
		}
	}
	return clock, true
}

// leadingDigits returns the number that a token begins with, if it has that many digits.
func leadingDigits(token string, least, most int) (int, bool) {
	n := 0
	for n < len(token) && '0' <= token[n] && token[n] <= '9' {
		n++
	}
	if n < least || n > most {
		return 0, false
	}
	value, err := strconv.Atoi(token[:n])
	return value, err == nil
}
