package client

import (
	"context"
	"net/http"
)

// LoginLink makes what stands behind #login= in a link to the page, for one browser to begin
// a session of the operator's with. The service's own token is wanted.
func (c *Client) LoginLink(ctx context.Context) (*LoginLinkResult, error) {
	return answer[LoginLinkResult](ctx, c, call{method: http.MethodPost, path: "/v1/login-links", want: []int{http.StatusCreated}})
}
