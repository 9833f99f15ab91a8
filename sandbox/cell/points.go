package cell

// point is a step on the daemon's side of the protocol. A test makes each fail in
// turn, by this list.
type point int

const (
	pointSocketpair point = iota
	pointStartServer
	pointSendTemplate
	pointReceiveTemplateDone
	pointSealProgram
	pointSendOrder
	pointReceiveCellMade
	pointPollPidfd
	pointReceiveReady
	pointMakePack
	pointWritePack
	pointMakeInput
	pointWriteInput
	pointSealInput
	pointReopenInput
	pointSendLayer
	pointReceiveLayerShown
	pointSendFiles
	pointReceiveFilesShown
	pointShareInput
	pointSendJob
	pointReceiveEnd
	pointKill
	pointCount
)

var pointNames = [pointCount]string{
	pointSocketpair:          "socketpair",
	pointStartServer:         "start server",
	pointSendTemplate:        "send template",
	pointReceiveTemplateDone: "receive template done",
	pointSealProgram:         "seal program",
	pointSendOrder:           "send order",
	pointReceiveCellMade:     "receive cell made",
	pointPollPidfd:           "poll pidfd",
	pointReceiveReady:        "receive ready",
	pointMakePack:            "make pack",
	pointWritePack:           "write pack",
	pointMakeInput:           "make input",
	pointWriteInput:          "write input",
	pointSealInput:           "seal input",
	pointReopenInput:         "reopen input",
	pointSendLayer:           "send layer",
	pointReceiveLayerShown:   "receive layer shown",
	pointSendFiles:           "send files",
	pointReceiveFilesShown:   "receive files shown",
	pointShareInput:          "share input",
	pointSendJob:             "send job",
	pointReceiveEnd:          "receive end",
	pointKill:                "kill",
}

// String is its name, for tests.
func (p point) String() string { return pointNames[p] }
