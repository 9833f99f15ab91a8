package main

import (
	"log/slog"

	"cordon/httpapi"
	"cordon/web"
)

// pageOf is the page that the service shows; one that only runs jobs has none.
func pageOf(c *config, logger *slog.Logger) (httpapi.Page, error) {
	if c.Role == roleWorker {
		return nil, nil
	}
	page, err := web.New()
	if err != nil {
		return nil, err
	}
	if !page.Built() {
		logger.Info("this binary was built without the page; make web && make build makes one that has it")
	}
	return page, nil
}
