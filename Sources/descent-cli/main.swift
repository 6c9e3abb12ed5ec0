import DescentCommands

DescentTool.main()
