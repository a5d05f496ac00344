export const audioOf = (contact: string, leg: string | null, download = false): string => {
  const params = new URLSearchParams()
  if (leg) params.set('leg', leg)
  if (download) params.set('download', '1')
  const text = params.toString()
  return `/api/v1/recordings/${encodeURIComponent(contact)}/audio${text ? `?${text}` : ''}`
}
