"""Write-backs out, one step a file: propose, review, send."""
