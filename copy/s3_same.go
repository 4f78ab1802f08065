package copy

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"
)

// sameObject says whether an object has the bytes of a source, by what the store says of them: the checksum of an object, or
// one of those of its parts and their number. Only a source that costs nothing to read is compared.
//
//	https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
func (s *store) sameObject(ctx context.Context, from source, what found, info minio.ObjectInfo) (bool, error) {
	switch src := from.(type) {
	case *s3Source:
		sums := src.info.ChecksumCRC32C != "" && src.info.ChecksumCRC32C == info.ChecksumCRC32C
		return (sums || src.info.ETag == info.ETag) && src.info.Size == info.Size ||
			isCopyOf(info, src.info) || isCopyOf(src.info, info), nil
	case *localSource:
		if what.size == info.Size {
			return s.sameParts(ctx, src, info)
		}
		return what.size < 0 && info.Size == 0 && src.meta.size == 0 && s.isEmpty(src.read(ctx, chunk{0, -1})), nil
	}
	return false, nil
}

// sameParts reads a file in parts as large as those that the object was sent in, as far as can be told.
func (s *store) sameParts(ctx context.Context, from *localSource, info minio.ObjectInfo) (bool, error) {
	want, slow := info.ChecksumCRC32C, strings.Trim(info.ETag, `"`)
	count := partsOf(slow)
	if want != "" {
		count = partsOf(want)
	}
	part := max(info.Size, 1)
	if count > 0 {
		part = s.partSize(info.Size)
		if int((info.Size+part-1)/part) != count {
			return false, nil
		}
	}
	buf := s.driver.buffer()
	defer s.driver.release(buf)
	from.foreign = false
	var crcs, md5s []byte
	for off := int64(0); off < info.Size; off += part {
		in := from.read(ctx, chunk{off, min(part, info.Size-off)})
		sums, err := sumsFrom(in, buf, want == "")
		_ = in.Close()
		if err != nil {
			return false, err
		}
		if count == 0 {
			return want == sums.crc() || want == "" && slow == sums.md5(), nil
		}
		crcs = append(crcs, sums.crcBytes()...)
		sum, err := hex.DecodeString(sums.md5())
		if err != nil {
			return false, err
		}
		md5s = append(md5s, sum...)
	}
	if info.Size == 0 {
		return true, nil
	}
	if want != "" {
		all := partSums{crc32c: crc32.Checksum(crcs, castagnoli)}
		return want == fmt.Sprintf("%s-%d", all.crc(), count), nil
	}
	all := md5.Sum(md5s)
	return slow == fmt.Sprintf("%x-%d", all, count), nil
}

// isEmpty says whether a file that says so is.
func (s *store) isEmpty(in io.ReadCloser) bool {
	defer func() { _ = in.Close() }()
	buf := s.driver.buffer()
	defer s.driver.release(buf)
	n, err := in.Read(buf)
	return n == 0 && err == io.EOF
}

// partsOf is the number behind the checksum of checksums, or 0.
func partsOf(sum string) int {
	_, digits, _ := strings.Cut(sum, "-")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}
