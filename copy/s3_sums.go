package copy

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"
)

// checksumHeader has the CRC32C of a body, four bytes in base64.
const checksumHeader = "X-Amz-Checksum-Crc32c"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// partSums are what bytes are recognised by in a store. Not every store has a CRC32C of them; MD5 takes long, and is made
// only for those.
type partSums struct {
	n      int64
	crc32c uint32
	md5    func() string // in hexadecimal digits
}

func sumsOf(p []byte) partSums {
	return partSums{int64(len(p)), crc32.Checksum(p, castagnoli), func() string {
		sum := md5.Sum(p)
		return hex.EncodeToString(sum[:])
	}}
}

// sumsFrom reads to the end, by way of buf.
func sumsFrom(in io.Reader, buf []byte, withMD5 bool) (partSums, error) {
	s, slow := partSums{}, md5.New()
	s.md5 = func() string { return hex.EncodeToString(slow.Sum(nil)) }
	for {
		n, err := in.Read(buf)
		s.n += int64(n)
		s.crc32c = crc32.Update(s.crc32c, castagnoli, buf[:n])
		if withMD5 {
			_, _ = slow.Write(buf[:n]) // never fails
		}
		if err == io.EOF {
			return s, nil
		}
		if err != nil {
			return s, err
		}
	}
}

func (s partSums) crc() string {
	return base64.StdEncoding.EncodeToString(s.crcBytes())
}

func (s partSums) crcBytes() []byte { return binary.BigEndian.AppendUint32(nil, s.crc32c) }

// are says whether a part that a store has is of the same bytes.
func (s partSums) are(part minio.ObjectPart) bool {
	switch {
	case part.Size != s.n:
		return false
	case part.ChecksumCRC32C != "":
		return part.ChecksumCRC32C == s.crc()
	}
	return strings.Trim(part.ETag, `"`) == s.md5()
}
