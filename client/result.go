package client

import "encoding/base64"

// StdoutBytes is the standard output as it was, whether it is text or not.
func (r *RunResult) StdoutBytes() ([]byte, error) { return printed(r.Stdout, r.StdoutBase64) }

// StderrBytes is the standard error as it was.
func (r *RunResult) StderrBytes() ([]byte, error) { return printed(r.Stderr, r.StderrBase64) }

// StdoutBytes is the standard output as it was, whether it is text or not.
func (r *TestResult) StdoutBytes() ([]byte, error) { return printed(r.Stdout, r.StdoutBase64) }

// StderrBytes is the standard error as it was.
func (r *TestResult) StderrBytes() ([]byte, error) { return printed(r.Stderr, r.StderrBase64) }

// Data is the content of a file that came with the result.
func (f *FileResult) Data() ([]byte, error) {
	var text, encoded string
	if f.Content != nil {
		text = *f.Content
	}
	if f.Base64 != nil {
		encoded = *f.Base64
	}
	return printed(text, encoded)
}

func printed(text, encoded string) ([]byte, error) {
	if encoded == "" {
		return []byte(text), nil
	}
	return base64.StdEncoding.DecodeString(encoded)
}

// FileOf is a file for a job.
func FileOf(path string, mode int32, data []byte) FileRequest {
	encoded := base64.StdEncoding.EncodeToString(data)
	return FileRequest{Path: path, Mode: &mode, Base64: &encoded}
}
