"""Attribution: which parts of one input a network's output depends on."""
