package httpapi

import (
	"net/http"
	"strings"
)

// bearerProtocol is how a browser shows the token: it can set no header of a WebSocket but
// the names of protocols that it offers. Never in the address, which logs and histories keep.
// The answer names AttachProtocol alone, so that the token is not said back.
const bearerProtocol = "bearer."

// authorization is the header Authorization, or what stands for it where a browser
// attaches to a job.
func authorization(r *http.Request) string {
	given := r.Header.Get("Authorization")
	if given != "" || !isAttach(r) || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return given
	}
	for _, name := range offered(r) {
		if token, found := strings.CutPrefix(name, bearerProtocol); found {
			return "Bearer " + token
		}
	}
	return ""
}

func isAttach(r *http.Request) bool {
	path := r.URL.EscapedPath()
	return strings.HasPrefix(path, jobsPath+"/") && asWritten(attachPath, path)
}

// offered are the names of protocols that a client would speak.
func offered(r *http.Request) (names []string) {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}
